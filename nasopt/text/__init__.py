"""Text for people: commands to type next, and words of others made safe to print."""
