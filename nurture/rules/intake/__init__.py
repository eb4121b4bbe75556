"""Decides what a row of somebody's file says, or what is wrong with it."""
