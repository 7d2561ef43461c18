"""What a request used and what it cost."""
