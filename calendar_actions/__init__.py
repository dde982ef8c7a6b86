"""Google Calendar v3 as steps: https://developers.google.com/workspace/calendar/api/v3/reference."""
