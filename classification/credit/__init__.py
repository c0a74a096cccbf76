"""Credit: advice with reasons for a person who decides, and what persons decided."""
