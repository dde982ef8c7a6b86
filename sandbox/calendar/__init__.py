"""Calendar v3 as Google speaks it, stricter about parameters: https://developers.google.com/workspace/calendar/api."""
