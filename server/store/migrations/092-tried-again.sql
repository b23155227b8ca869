-- A try that failed is tried again from its page. A secret that went with the failure must be typed again,
-- and is not left out in silence.

alter table source_drafts add column secret_gone boolean not null default false;
