"""Points to draws: designs, copula, program, run, and where the draws go."""
