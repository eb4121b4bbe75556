"""What every flow shares: how a flow is made, deployed, repaired after a crash, and shown in Prefect."""
