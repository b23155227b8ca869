-- Who may touch patient data. The hub works as `slotcast_hub`, which owns nothing: row-level
-- security applies to it, and it can add to the audit but neither change nor remove a row of it.

do $$ begin
	-- Roles belong to the whole server: another database may have made it first.
	create role slotcast_hub nologin nosuperuser nobypassrls;
exception when duplicate_object or unique_violation then
	null;
end $$;

do $$ begin
	if not pg_has_role(current_user, 'slotcast_hub', 'member') then
		execute format('grant slotcast_hub to %I', current_user);
	end if;
end $$;

grant usage on schema public to slotcast_hub;
grant select, insert, update, delete on all tables in schema public to slotcast_hub;
alter default privileges in schema public
	grant select, insert, update, delete on tables to slotcast_hub;
revoke update, delete on audit from slotcast_hub;

-- "kind:id" of who acts, set with set_config(…, true) inside the transaction; '' without it.
create function actor_part(p_part integer) returns text
language sql stable
return split_part(coalesce(current_setting('slotcast.actor', true), ''), ':', p_part);

alter table patients enable row level security;
alter table patients force row level security;
create policy patients_by_actor on patients
	using (
		case actor_part(1)
			when 'device' then device_key = actor_part(2)
			when 'clinic' then exists (
				select 1 from bookings b
				where b.patient_id = patients.id and b.source_id::text = actor_part(2)
			)
			-- A worker reads only what it is about to write to a clinic.
			when 'worker' then exists (
				select 1 from bookings b
				where b.patient_id = patients.id and b.state in ('confirming', 'unconfirmed')
			)
			when 'upkeep' then true
			else false
		end
	)
	with check (
		case actor_part(1)
			when 'device' then device_key = actor_part(2)
			when 'upkeep' then true
			else false
		end
	);
create index bookings_by_patient on bookings (patient_id);

-- Adds one link to the chain. Takes a lock until the transaction ends: call it late. The text that
-- is hashed is rebuilt by server/store/audit.ts (verifyAudit); '|' cannot occur inside a part.
alter table audit add constraint audit_parts_are_plain
	check (actor !~ '\|' and action !~ '\|' and array_to_string(objects, ',') !~ '\|');

create function append_audit(p_actor text, p_action text, p_objects text[]) returns void
language plpgsql as $$
declare
	v_last audit;
	v_id bigint;
	v_at timestamptz;
	v_previous bytea;
begin
	perform pg_advisory_xact_lock(hashtextextended('slotcast.audit', 2));
	select * into v_last from audit order by id desc limit 1;
	v_id := coalesce(v_last.id, 0) + 1;
	v_at := date_trunc('milliseconds', clock_timestamp());
	v_previous := coalesce(v_last.hash, '\x');
	insert into audit (id, at, actor, action, objects, previous_hash, hash)
	values (
		v_id, v_at, p_actor, p_action, p_objects, v_previous,
		sha256(convert_to(concat_ws('|',
			v_id, (extract(epoch from v_at) * 1000)::bigint, p_actor, p_action,
			array_to_string(p_objects, ','), encode(v_previous, 'hex')
		), 'UTF8'))
	);
end $$;
