"""What is wrong, and how to mend it, before anything is sent: campaigns, templates, content, the installation."""
