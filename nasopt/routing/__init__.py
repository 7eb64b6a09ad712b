"""Routing: decisions, their quality, and what they cost; pure functions over logits, scores and path costs."""
