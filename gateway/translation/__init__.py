"""Chat completions in other vendors' words, and back. Pure functions of dicts; `gateway.providers` calls them."""
