"""Units: the registry, conversion at the border, constants, and quantities as text."""
