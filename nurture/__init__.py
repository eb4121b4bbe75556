"""nurture: the rules, the tools and the doors of the lead nurturing system."""
