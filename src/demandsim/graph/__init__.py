"""What is known: assumptions, equations, scenarios, and the checks that they fit together."""
