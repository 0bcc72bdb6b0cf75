"""Puter's addresses."""

from __future__ import annotations

from chatloom.server.protocols.puter import drivers, models, people, vendors

ROUTES = (*people.ROUTES, *drivers.ROUTES, *models.ROUTES, *vendors.ROUTES)
