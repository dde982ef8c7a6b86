"""What a person sees in the browser: consent, the start page, the inbox; in Russian or English."""
