"""Whether today's customers are still those the models know: one measure for the monthly run and the service."""
