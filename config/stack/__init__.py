"""The local stack behind ./dev: Postgres, Valkey and our own processes on a bare machine, without containers."""
