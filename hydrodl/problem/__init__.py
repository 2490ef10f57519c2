"""The discrete problem, and what a flow and a solution of it hold."""
