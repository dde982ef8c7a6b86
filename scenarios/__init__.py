"""What happens, when, and what came of it: scenarios, triggers, runs, and the engine that executes them."""
