"""Skull-stripping: brain masks from HD-BET, deepbet, a folder of masks or a command of the user's."""
