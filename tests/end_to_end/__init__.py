"""The whole gateway, as callers meet it: a server process, real sockets, official clients."""
