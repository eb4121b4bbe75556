"""Model versions: kept, promoted, rolled back."""
