"""Who is calling: users, organisations, memberships and API keys."""
