"""Who answers: provider drivers, the offline models, and the registry that finds them by name."""
