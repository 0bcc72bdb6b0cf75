"""ChatRoutes: conversations as trees."""
