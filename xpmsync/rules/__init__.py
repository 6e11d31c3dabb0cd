"""What the sync decides, pure: values in, values out. No clock, no network, no database, no terminal."""
