"""How the calls of an evaluator reach their targets, and how it follows the policy in force."""
