"""What the database itself writes down about runs and steps, apart from the product's own tables.

A row's final state cannot show that a run ended twice, or that a result was written over: triggers can.
"""

AUDIT = """
CREATE SCHEMA faults;
CREATE TABLE faults.run_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id uuid NOT NULL, scenario_id bigint NOT NULL, old text, new text NOT NULL, fence bigint, owner text
);
CREATE INDEX ON faults.run_event (run_id);
CREATE TABLE faults.step_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id uuid NOT NULL, path text NOT NULL, old text, new text NOT NULL, attempt int, fence bigint
);
CREATE INDEX ON faults.step_event (run_id);
CREATE FUNCTION faults.note_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO faults.run_event (run_id, scenario_id, new, fence) VALUES (NEW.id, NEW.scenario_id, NEW.status, 0);
    ELSIF OLD.status <> NEW.status OR OLD.fence <> NEW.fence THEN
        INSERT INTO faults.run_event (run_id, scenario_id, old, new, fence, owner)
        VALUES (NEW.id, NEW.scenario_id, OLD.status, NEW.status, NEW.fence, COALESCE(NULLIF(NEW.owner, ''), OLD.owner));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION faults.note_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO faults.step_event (run_id, path, old, new, attempt, fence)
    VALUES (NEW.run_id, NEW.path, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status, NEW.attempt, NEW.fence);
    RETURN NULL;
END $$;
CREATE TRIGGER faults_note AFTER INSERT OR UPDATE ON scenarios_run FOR EACH ROW EXECUTE FUNCTION faults.note_run();
CREATE TRIGGER faults_note AFTER INSERT OR UPDATE ON scenarios_steprun FOR EACH ROW EXECUTE FUNCTION faults.note_step();
"""
