"""The database refuses to change an audit entry; it may only lose the account or the token that was deleted."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.workspace_id, NEW.who, NEW.action, NEW.subject, NEW.details, NEW.at)
        IS DISTINCT FROM (OLD.id, OLD.workspace_id, OLD.who, OLD.action, OLD.subject, OLD.details, OLD.at)
        OR (NEW.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id)
        OR (NEW.token_id IS NOT NULL AND NEW.token_id IS DISTINCT FROM OLD.token_id)
    THEN
        RAISE EXCEPTION 'an audit entry is never changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entry_stays BEFORE UPDATE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_stays();
"""
BACKWARDS = "DROP TRIGGER audit_entry_stays ON accounts_auditentry; DROP FUNCTION audit_entry_stays();"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
