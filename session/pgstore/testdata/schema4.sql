-- lanes: 0x8be3616ea4bded2c593bc4688398f6002b59c08fad028fb7 0x3a983c64fedb6b2df68a072fda6184c28f5e6d9484c260df
--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)


--
-- Name: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Type: SCHEMA; Schema: -; Owner: -
--



--
-- Name: sesame_apply(bigint, bytea, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], bytea[], smallint[], boolean[], bigint[], bigint[], bytea[], bytea[], bytea[], bytea[], bytea[]); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_apply(for_chain bigint, for_account bytea, want bigint, new_root bytea, new_order bytea[], new_pending_root bytea, new_pending_op bytea, new_pending_nonce bytea, new_pending_add bytea[], new_pending_remove bytea[], put_id bytea[], put_status smallint[], put_in_tree boolean[], put_until bigint[], put_after bigint[], put_module bytea[], put_key bytea[], put_data bytea[], put_function bytea[], delete_id bytea[], OUT have bigint, OUT done boolean, OUT missing bytea) RETURNS record
    LANGUAGE plpgsql
    AS $$
declare
    size    bigint;  -- how many leaves there were; the first free position
    gap     bigint;  -- the first position from which on there may be gaps
    deleted bigint := 0;
    added   bigint := 0;
begin
    done := false;
    perform pg_advisory_xact_lock(sesame_lock('session', for_chain, for_account));
    select version, leaves into have, size from sesame_sessions where chain_id = for_chain and account = for_account;
    have := coalesce(have, 0);
    size := coalesce(size, 0);
    if have <> want then
        return;
    end if;

    if cardinality(delete_id) > 0 then
        select unnest(delete_id) except select id from sesame_leaves where chain_id = for_chain and account = for_account
            into missing limit 1;
        if found then
            return;
        end if;
        with gone as (
            delete from sesame_leaves where chain_id = for_chain and account = for_account and id = any (delete_id)
            returning position
        )
        select count(*), min(position) into deleted, gap from gone;
    end if;

    if cardinality(put_id) > 0 then
        with put as (
            insert into sesame_leaves as l (chain_id, account, position,
                    id, status, in_tree, valid_until, valid_after, module, key, data, function)
                select for_chain, for_account, size + p.n - 1,
                    p.id, p.status, p.in_tree, p.valid_until, p.valid_after, p.module, p.key, p.data, p.function
                from unnest(put_id, put_status, put_in_tree, put_until, put_after, put_module, put_key, put_data, put_function)
                    with ordinality as p (id, status, in_tree, valid_until, valid_after, module, key, data, function, n)
                on conflict (chain_id, account, id) do update set
                    status = excluded.status, in_tree = excluded.in_tree, valid_until = excluded.valid_until, valid_after = excluded.valid_after,
                    module = excluded.module, key = excluded.key, data = excluded.data, function = excluded.function
                returning l.position
        )
        select count(*) into added from put where position >= size;
        if added between 1 and cardinality(put_id) - 1 then
            gap := least(gap, size);
        end if;
    end if;

    -- By ctid, so that it does not matter what the planner thinks of the session's size.
    if gap < size + added then
        update sesame_leaves l set position = moved.position
            from (
                select ctid, position as old, gap - 1 + row_number() over (order by position) as position
                from sesame_leaves where chain_id = for_chain and account = for_account and position >= gap
            ) as moved
            where l.ctid = moved.ctid and moved.position <> moved.old;
    end if;

    insert into sesame_sessions as s (chain_id, account, version, leaves, root, tree_order,
            pending_root, pending_op, pending_nonce, pending_add, pending_remove)
        values (for_chain, for_account, want + 1, size - deleted + added, new_root, new_order,
            new_pending_root, new_pending_op, new_pending_nonce, new_pending_add, new_pending_remove)
        on conflict (chain_id, account) do update set
            version = excluded.version, leaves = excluded.leaves, root = excluded.root, tree_order = excluded.tree_order,
            pending_root = excluded.pending_root, pending_op = excluded.pending_op, pending_nonce = excluded.pending_nonce,
            pending_add = excluded.pending_add, pending_remove = excluded.pending_remove, changed_at = now()
        where s.version = want
        returning s.version into have;
    if not found then
        raise serialization_failure using message = 'session changed under its lock';
    end if;
    done := true;
end
$$;


--
-- Name: sesame_apply(integer, bigint, bytea, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], json, bigint, bytea[], smallint[], boolean[], bigint[], bigint[], bytea[], bytea[], bytea[], bytea[], bytea[]); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_apply(program integer, for_chain bigint, for_account bytea, want bigint, new_root bytea, new_order bytea[], new_pending_root bytea, new_pending_op bytea, new_pending_nonce bytea, new_pending_add bytea[], new_pending_remove bytea[], new_pending_operation json, new_pending_until bigint, put_id bytea[], put_status smallint[], put_in_tree boolean[], put_until bigint[], put_after bigint[], put_module bytea[], put_key bytea[], put_data bytea[], put_function bytea[], delete_id bytea[], OUT have bigint, OUT done boolean, OUT missing bytea) RETURNS record
    LANGUAGE plpgsql
    AS $$
declare
    size    bigint;  -- how many leaves there were; the first free position
    gap     bigint;  -- the first position from which on there may be gaps
    deleted bigint := 0;
    added   bigint := 0;
    written bigint;
    intact  boolean;
    damaged bigint;  -- the position of a row that does not fit its checksum
begin
    done := false;
    perform pg_advisory_xact_lock(sesame_lock(program, 'session', for_chain, for_account));
    select version, leaves, checksum = sesame_session_sum(chain_id, account, version, leaves, root, tree_order,
            pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until)
        into have, size, intact from sesame_sessions where chain_id = for_chain and account = for_account;
    if not intact then
        raise exception using errcode = 'SES02', message = 'its row in sesame_sessions';
    end if;
    have := coalesce(have, 0);
    size := coalesce(size, 0);
    if have <> want then
        return;
    end if;

    if cardinality(delete_id) > 0 then
        select unnest(delete_id) except select id from sesame_leaves where chain_id = for_chain and account = for_account
            into missing limit 1;
        if found then
            return;
        end if;
        with gone as (
            delete from sesame_leaves where chain_id = for_chain and account = for_account and id = any (delete_id)
            returning position, checksum = sesame_leaf_sum(chain_id, account, position, id, status, in_tree,
                valid_until, valid_after, module, key, data, function) as fits
        )
        select count(*), min(position), min(position) filter (where not fits) into deleted, gap, damaged from gone;
        if damaged is not null then
            raise exception using errcode = 'SES02', message = 'its row in sesame_leaves at position ' || damaged;
        end if;
    end if;

    if cardinality(put_id) > 0 then
        with put as (
            insert into sesame_leaves as l (chain_id, account, position,
                    id, status, in_tree, valid_until, valid_after, module, key, data, function, checksum)
                select for_chain, for_account, size + p.n - 1,
                    p.id, p.status, p.in_tree, p.valid_until, p.valid_after, p.module, p.key, p.data, p.function,
                    sesame_leaf_sum(for_chain, for_account, size + p.n - 1, p.id, p.status, p.in_tree,
                        p.valid_until, p.valid_after, p.module, p.key, p.data, p.function)
                from unnest(put_id, put_status, put_in_tree, put_until, put_after, put_module, put_key, put_data, put_function)
                    with ordinality as p (id, status, in_tree, valid_until, valid_after, module, key, data, function, n)
                on conflict (chain_id, account, id) do update set
                    status = excluded.status, in_tree = excluded.in_tree, valid_until = excluded.valid_until, valid_after = excluded.valid_after,
                    module = excluded.module, key = excluded.key, data = excluded.data, function = excluded.function,
                    checksum = sesame_leaf_sum(l.chain_id, l.account, l.position, excluded.id, excluded.status, excluded.in_tree,
                        excluded.valid_until, excluded.valid_after, excluded.module, excluded.key, excluded.data, excluded.function)
                    where l.checksum = sesame_leaf_sum(l.chain_id, l.account, l.position, l.id, l.status, l.in_tree,
                        l.valid_until, l.valid_after, l.module, l.key, l.data, l.function)
                returning l.position
        )
        select count(*), count(*) filter (where position >= size) into written, added from put;
        if written < cardinality(put_id) then
            raise exception using errcode = 'SES02', message = 'a row in sesame_leaves that was to be replaced';
        end if;
        if added between 1 and cardinality(put_id) - 1 then
            gap := least(gap, size);
        end if;
    end if;

    -- By ctid, so that it does not matter what the planner thinks of the session's size.
    if gap < size + added then
        update sesame_leaves l set position = moved.position,
                checksum = case when l.checksum = sesame_leaf_sum(l.chain_id, l.account, l.position, l.id, l.status, l.in_tree,
                        l.valid_until, l.valid_after, l.module, l.key, l.data, l.function)
                    then sesame_leaf_sum(l.chain_id, l.account, moved.position, l.id, l.status, l.in_tree,
                        l.valid_until, l.valid_after, l.module, l.key, l.data, l.function)
                    else l.checksum end
            from (
                select ctid, position as old, gap - 1 + row_number() over (order by position) as position
                from sesame_leaves where chain_id = for_chain and account = for_account and position >= gap
            ) as moved
            where l.ctid = moved.ctid and moved.position <> moved.old;
    end if;

    insert into sesame_sessions as s (chain_id, account, version, leaves, root, tree_order,
            pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until, checksum)
        values (for_chain, for_account, want + 1, size - deleted + added, new_root, new_order,
            new_pending_root, new_pending_op, new_pending_nonce, new_pending_add, new_pending_remove, new_pending_operation, new_pending_until,
            sesame_session_sum(for_chain, for_account, want + 1, size - deleted + added, new_root, new_order,
                new_pending_root, new_pending_op, new_pending_nonce, new_pending_add, new_pending_remove,
                new_pending_operation, new_pending_until))
        on conflict (chain_id, account) do update set
            version = excluded.version, leaves = excluded.leaves, root = excluded.root, tree_order = excluded.tree_order,
            pending_root = excluded.pending_root, pending_op = excluded.pending_op, pending_nonce = excluded.pending_nonce,
            pending_add = excluded.pending_add, pending_remove = excluded.pending_remove,
            pending_operation = excluded.pending_operation, pending_until = excluded.pending_until, checksum = excluded.checksum,
            changed_at = now()
        where s.version = want
        returning s.version into have;
    if not found then
        raise serialization_failure using message = 'session changed under its lock';
    end if;
    done := true;
end
$$;


--
-- Name: sesame_apply(integer, bigint, bytea, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], json, bigint, json, bytea[], smallint[], boolean[], bigint[], bigint[], bytea[], bytea[], bytea[], bytea[], bytea[]); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_apply(program integer, for_chain bigint, for_account bytea, want bigint, new_root bytea, new_order bytea[], new_pending_root bytea, new_pending_op bytea, new_pending_nonce bytea, new_pending_add bytea[], new_pending_remove bytea[], new_pending_operation json, new_pending_until bigint, new_landed json, put_id bytea[], put_status smallint[], put_in_tree boolean[], put_until bigint[], put_after bigint[], put_module bytea[], put_key bytea[], put_data bytea[], put_function bytea[], delete_id bytea[], OUT have bigint, OUT done boolean, OUT missing bytea) RETURNS record
    LANGUAGE plpgsql
    AS $$
declare
    size    bigint;  -- how many leaves there were; the first free position
    gap     bigint;  -- the first position from which on there may be gaps
    deleted bigint := 0;
    added   bigint := 0;
    written bigint;
    intact  boolean;
    damaged bigint;  -- the position of a row that does not fit its checksum
begin
    done := false;
    perform pg_advisory_xact_lock(sesame_lock(program, 'session', for_chain, for_account));
    select version, leaves, checksum = sesame_session_sum(chain_id, account, version, leaves, root, tree_order,
            pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until, landed)
        into have, size, intact from sesame_sessions where chain_id = for_chain and account = for_account;
    if not intact then
        raise exception using errcode = 'SES02', message = 'its row in sesame_sessions';
    end if;
    have := coalesce(have, 0);
    size := coalesce(size, 0);
    if have <> want then
        return;
    end if;

    if cardinality(delete_id) > 0 then
        select unnest(delete_id) except select id from sesame_leaves where chain_id = for_chain and account = for_account
            into missing limit 1;
        if found then
            return;
        end if;
        with gone as (
            delete from sesame_leaves where chain_id = for_chain and account = for_account and id = any (delete_id)
            returning position, checksum = sesame_leaf_sum(chain_id, account, position, id, status, in_tree,
                valid_until, valid_after, module, key, data, function) as fits
        )
        select count(*), min(position), min(position) filter (where not fits) into deleted, gap, damaged from gone;
        if damaged is not null then
            raise exception using errcode = 'SES02', message = 'its row in sesame_leaves at position ' || damaged;
        end if;
    end if;

    if cardinality(put_id) > 0 then
        with put as (
            insert into sesame_leaves as l (chain_id, account, position,
                    id, status, in_tree, valid_until, valid_after, module, key, data, function, checksum)
                select for_chain, for_account, size + p.n - 1,
                    p.id, p.status, p.in_tree, p.valid_until, p.valid_after, p.module, p.key, p.data, p.function,
                    sesame_leaf_sum(for_chain, for_account, size + p.n - 1, p.id, p.status, p.in_tree,
                        p.valid_until, p.valid_after, p.module, p.key, p.data, p.function)
                from unnest(put_id, put_status, put_in_tree, put_until, put_after, put_module, put_key, put_data, put_function)
                    with ordinality as p (id, status, in_tree, valid_until, valid_after, module, key, data, function, n)
                on conflict (chain_id, account, id) do update set
                    status = excluded.status, in_tree = excluded.in_tree, valid_until = excluded.valid_until, valid_after = excluded.valid_after,
                    module = excluded.module, key = excluded.key, data = excluded.data, function = excluded.function,
                    checksum = sesame_leaf_sum(l.chain_id, l.account, l.position, excluded.id, excluded.status, excluded.in_tree,
                        excluded.valid_until, excluded.valid_after, excluded.module, excluded.key, excluded.data, excluded.function)
                    where l.checksum = sesame_leaf_sum(l.chain_id, l.account, l.position, l.id, l.status, l.in_tree,
                        l.valid_until, l.valid_after, l.module, l.key, l.data, l.function)
                returning l.position
        )
        select count(*), count(*) filter (where position >= size) into written, added from put;
        if written < cardinality(put_id) then
            raise exception using errcode = 'SES02', message = 'a row in sesame_leaves that was to be replaced';
        end if;
        if added between 1 and cardinality(put_id) - 1 then
            gap := least(gap, size);
        end if;
    end if;

    -- By ctid, so that it does not matter what the planner thinks of the session's size.
    if gap < size + added then
        update sesame_leaves l set position = moved.position,
                checksum = case when l.checksum = sesame_leaf_sum(l.chain_id, l.account, l.position, l.id, l.status, l.in_tree,
                        l.valid_until, l.valid_after, l.module, l.key, l.data, l.function)
                    then sesame_leaf_sum(l.chain_id, l.account, moved.position, l.id, l.status, l.in_tree,
                        l.valid_until, l.valid_after, l.module, l.key, l.data, l.function)
                    else l.checksum end
            from (
                select ctid, position as old, gap - 1 + row_number() over (order by position) as position
                from sesame_leaves where chain_id = for_chain and account = for_account and position >= gap
            ) as moved
            where l.ctid = moved.ctid and moved.position <> moved.old;
    end if;

    insert into sesame_sessions as s (chain_id, account, version, leaves, root, tree_order,
            pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until, landed, checksum)
        values (for_chain, for_account, want + 1, size - deleted + added, new_root, new_order,
            new_pending_root, new_pending_op, new_pending_nonce, new_pending_add, new_pending_remove, new_pending_operation, new_pending_until, new_landed,
            sesame_session_sum(for_chain, for_account, want + 1, size - deleted + added, new_root, new_order,
                new_pending_root, new_pending_op, new_pending_nonce, new_pending_add, new_pending_remove,
                new_pending_operation, new_pending_until, new_landed))
        on conflict (chain_id, account) do update set
            version = excluded.version, leaves = excluded.leaves, root = excluded.root, tree_order = excluded.tree_order,
            pending_root = excluded.pending_root, pending_op = excluded.pending_op, pending_nonce = excluded.pending_nonce,
            pending_add = excluded.pending_add, pending_remove = excluded.pending_remove,
            pending_operation = excluded.pending_operation, pending_until = excluded.pending_until, landed = excluded.landed, checksum = excluded.checksum,
            changed_at = now()
        where s.version = want
        returning s.version into have;
    if not found then
        raise serialization_failure using message = 'session changed under its lock';
    end if;
    done := true;
end
$$;


--
-- Name: sesame_data_key_sum(bigint, bytea); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_data_key_sum(id bigint, sealed bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    select sha256('data key' || int8send($1) || $2)
$_$;


--
-- Name: sesame_key_sum(bigint, bytea, bytea, bigint, bytea); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_key_sum(chain_id bigint, account bytea, address bytea, data_key bigint, sealed bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    select sha256('key' || int8send($1) || $2 || $3 || int8send($4) || $5)
$_$;


--
-- Name: sesame_leaf_sum(bigint, bytea, bigint, bytea, smallint, boolean, bigint, bigint, bytea, bytea, bytea, bytea); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_leaf_sum(chain_id bigint, account bytea, "position" bigint, id bytea, status smallint, in_tree boolean, valid_until bigint, valid_after bigint, module bytea, key bytea, data bytea, function bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    select sha256('leaf' || int8send($1) || $2 || int8send($3) || int2send($5) || boolsend($6) || int8send($7) || int8send($8) || $9 || $10
        || int8send(octet_length($4)::bigint) || $4 || int8send(octet_length($11)::bigint) || $11 || $12)
$_$;


--
-- Name: sesame_lock(text, bigint, bytea); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_lock(what text, for_chain bigint, for_account bytea) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
begin
    raise exception using errcode = 'SES01',
        message = 'session schema is newer than the program: it is version 2, the program knows up to 1; update the program';
end
$$;


--
-- Name: sesame_lock(integer, text, bigint, bytea); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_lock(program integer, what text, for_chain bigint, for_account bytea) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
begin
    if program <> 4 then
        raise exception using errcode = 'SES01',
            message = 'it is version 4, the program knows up to ' || program || '; update the program';
    end if;
    return hashtextextended('sesame ' || what || ' ' || for_chain || ' ' || encode(for_account, 'hex'), 0);
end
$$;


--
-- Name: sesame_outbox_number(); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_outbox_number() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    new.checksum := sesame_outbox_sum(new.id, new.version, new.chain_id, new.account, new.entry_point, new.key, new.kind, new.asked,
        new.nonce, new.hashes, new.attempts, new.state, new.outcome, new.given, new.reported, new.created_at, new.updated_at, new.ended_at);
    return new;
end
$$;


--
-- Name: sesame_outbox_sum(bigint, bigint, bigint, bytea, bytea, bytea, bytea, bytea, bytea, bytea[], json, smallint, json, boolean, boolean, timestamp with time zone, timestamp with time zone, timestamp with time zone); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_outbox_sum(id bigint, version bigint, chain_id bigint, account bytea, entry_point bytea, key bytea, kind bytea, asked bytea, nonce bytea, hashes bytea[], attempts json, state smallint, outcome json, given boolean, reported boolean, created_at timestamp with time zone, updated_at timestamp with time zone, ended_at timestamp with time zone) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
    select sha256('outbox' || int8send($1) || int8send($2) || int8send($3) || $4 || $5
        || int8send(octet_length($6)::bigint) || $6 || int8send(octet_length($7)::bigint) || $7 || int8send(octet_length($8)::bigint) || $8
        || $9 || int8send(octet_length(array_send($10))::bigint) || array_send($10)
        || int8send(octet_length($11::text)::bigint) || convert_to($11::text, 'UTF8')
        || int2send($12) || boolsend($14) || boolsend($15) || timestamptz_send($16) || timestamptz_send($17)
        || case when $18 is null then '\x00' else '\x01' || timestamptz_send($18) end
        || case when $13 is null then '\x00' else '\x01' || convert_to($13::text, 'UTF8') end)
$_$;


--
-- Name: sesame_session_sum(bigint, bytea, bigint, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], json, bigint); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_session_sum(chain_id bigint, account bytea, version bigint, leaves bigint, root bytea, tree_order bytea[], pending_root bytea, pending_op bytea, pending_nonce bytea, pending_add bytea[], pending_remove bytea[], pending_operation json, pending_until bigint) RETURNS bytea
    LANGUAGE plpgsql
    AS $$
begin
    raise exception using errcode = 'SES01',
        message = 'it is version 3, the program knows up to 2; update the program';
end
$$;


--
-- Name: sesame_session_sum(bigint, bytea, bigint, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], json, bigint, json); Type: FUNCTION; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE FUNCTION sesame_session_sum(chain_id bigint, account bytea, version bigint, leaves bigint, root bytea, tree_order bytea[], pending_root bytea, pending_op bytea, pending_nonce bytea, pending_add bytea[], pending_remove bytea[], pending_operation json, pending_until bigint, landed json) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
    select sha256('session' || int8send($1) || $2 || int8send($3) || int8send($4) || $5
        || case when $6 is null then '\x00' else '\x01' || int8send(octet_length(array_send($6))::bigint) || array_send($6) end
        || case when $7 is null then '\x00' else '\x01' || $7 || $8 || $9 end
        || case when $10 is null then '\x00' else '\x01' || int8send(octet_length(array_send($10))::bigint) || array_send($10) end
        || case when $11 is null then '\x00' else '\x01' || int8send(octet_length(array_send($11))::bigint) || array_send($11) end
        || int8send($13)
        || case when $12 is null then '\x00'
            else '\x01' || int8send(octet_length(convert_to($12::text, 'UTF8'))::bigint) || convert_to($12::text, 'UTF8') end
        || case when $14 is null then '\x00' else '\x01' || convert_to($14::text, 'UTF8') end)
$_$;




--
-- Name: sesame_data_keys; Type: TABLE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TABLE sesame_data_keys (
    id bigint NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    checksum bytea NOT NULL,
    CONSTRAINT sesame_data_keys_id_check CHECK ((id > 0))
);


--
-- Name: sesame_keys; Type: TABLE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TABLE sesame_keys (
    chain_id bigint NOT NULL,
    account bytea NOT NULL,
    address bytea NOT NULL,
    data_key bigint NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    checksum bytea NOT NULL,
    CONSTRAINT sesame_keys_account_check CHECK ((octet_length(account) = 20)),
    CONSTRAINT sesame_keys_address_check CHECK ((octet_length(address) = 20)),
    CONSTRAINT sesame_keys_chain_id_check CHECK ((chain_id > 0))
);


--
-- Name: sesame_lanes; Type: TABLE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TABLE sesame_lanes (
    chain_id bigint NOT NULL,
    account bytea NOT NULL,
    lane bytea NOT NULL,
    holder bytea NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    CONSTRAINT sesame_lanes_account_check CHECK ((octet_length(account) = 20)),
    CONSTRAINT sesame_lanes_chain_id_check CHECK ((chain_id > 0)),
    CONSTRAINT sesame_lanes_lane_check CHECK ((octet_length(lane) = 24))
);


--
-- Name: sesame_leaves; Type: TABLE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TABLE sesame_leaves (
    chain_id bigint NOT NULL,
    account bytea NOT NULL,
    "position" bigint NOT NULL,
    id bytea NOT NULL,
    status smallint NOT NULL,
    in_tree boolean NOT NULL,
    valid_until bigint NOT NULL,
    valid_after bigint NOT NULL,
    module bytea NOT NULL,
    key bytea NOT NULL,
    data bytea NOT NULL,
    function bytea NOT NULL,
    checksum bytea NOT NULL,
    CONSTRAINT sesame_leaves_id_check CHECK ((octet_length(id) > 0)),
    CONSTRAINT sesame_leaves_key_check CHECK ((octet_length(key) = 20)),
    CONSTRAINT sesame_leaves_module_check CHECK ((octet_length(module) = 20)),
    CONSTRAINT sesame_leaves_position_check CHECK (("position" >= 0)),
    CONSTRAINT sesame_leaves_status_check CHECK (((status >= 1) AND (status <= 3)))
);


--
-- Name: sesame_outbox; Type: TABLE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TABLE sesame_outbox (
    id bigint NOT NULL,
    version bigint NOT NULL,
    chain_id bigint NOT NULL,
    account bytea NOT NULL,
    entry_point bytea NOT NULL,
    key bytea NOT NULL,
    kind bytea NOT NULL,
    asked bytea NOT NULL,
    nonce bytea NOT NULL,
    hashes bytea[] NOT NULL,
    attempts json NOT NULL,
    state smallint NOT NULL,
    outcome json,
    given boolean NOT NULL,
    reported boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    holder bytea NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    checksum bytea NOT NULL,
    CONSTRAINT sesame_outbox_account_check CHECK ((octet_length(account) = 20)),
    CONSTRAINT sesame_outbox_chain_id_check CHECK ((chain_id > 0)),
    CONSTRAINT sesame_outbox_check CHECK ((((state = 1) = (outcome IS NULL)) AND ((state = 1) = (ended_at IS NULL)))),
    CONSTRAINT sesame_outbox_entry_point_check CHECK ((octet_length(entry_point) = 20)),
    CONSTRAINT sesame_outbox_hashes_check CHECK ((cardinality(hashes) > 0)),
    CONSTRAINT sesame_outbox_key_check CHECK (((octet_length(key) >= 1) AND (octet_length(key) <= 255))),
    CONSTRAINT sesame_outbox_nonce_check CHECK ((octet_length(nonce) = 32)),
    CONSTRAINT sesame_outbox_state_check CHECK (((state >= 1) AND (state <= 4))),
    CONSTRAINT sesame_outbox_version_check CHECK ((version > 0))
);


--
-- Name: sesame_outbox_id_seq; Type: SEQUENCE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE sesame_outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME sesame_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: sesame_schema; Type: TABLE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TABLE sesame_schema (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: sesame_sessions; Type: TABLE; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TABLE sesame_sessions (
    chain_id bigint NOT NULL,
    account bytea NOT NULL,
    version bigint NOT NULL,
    leaves bigint NOT NULL,
    root bytea NOT NULL,
    tree_order bytea[],
    pending_root bytea,
    pending_op bytea,
    pending_nonce bytea,
    pending_add bytea[],
    pending_remove bytea[],
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    pending_operation json,
    pending_until bigint DEFAULT 0 NOT NULL,
    checksum bytea NOT NULL,
    landed json,
    CONSTRAINT sesame_sessions_account_check CHECK ((octet_length(account) = 20)),
    CONSTRAINT sesame_sessions_chain_id_check CHECK ((chain_id > 0)),
    CONSTRAINT sesame_sessions_check CHECK ((num_nulls(pending_root, pending_op, pending_nonce) = ANY (ARRAY[0, 3]))),
    CONSTRAINT sesame_sessions_check1 CHECK (((pending_root IS NOT NULL) OR ((pending_operation IS NULL) AND (pending_until = 0)))),
    CONSTRAINT sesame_sessions_leaves_check CHECK ((leaves >= 0)),
    CONSTRAINT sesame_sessions_pending_nonce_check CHECK ((octet_length(pending_nonce) = 32)),
    CONSTRAINT sesame_sessions_pending_op_check CHECK ((octet_length(pending_op) = 32)),
    CONSTRAINT sesame_sessions_pending_root_check CHECK ((octet_length(pending_root) = 32)),
    CONSTRAINT sesame_sessions_pending_until_check CHECK ((pending_until >= 0)),
    CONSTRAINT sesame_sessions_root_check CHECK ((octet_length(root) = 32)),
    CONSTRAINT sesame_sessions_version_check CHECK ((version > 0))
);


--
-- Data for Name: sesame_data_keys; Type: TABLE DATA; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

INSERT INTO sesame_data_keys VALUES (1, '\x01000000010000004001f30316304227a20bc13fe606391df54728003cf241c6f87acae991dc1cfa9308fcaef78534ff262a74deaa0dabb06c9823322d284569ae691bc706bc6c82dac41ec53da744b3f29a1cf54a37d117b1f5ea40227667cbf657', '2026-11-29 08:09:00.376543+00', '\x16b8a3150c14969d2353d0a389bf8cff6b74d8200e46ec47214f6cf7a87043e7');


--
-- Data for Name: sesame_keys; Type: TABLE DATA; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xa931e8a1c4a968816a2b92f38bab669a6cb3e3b5', 1, '\x35ab030db8d35ae0515d9233835a21c958167275ba8df0f216d0c79d10799483df8cd002c3fb3b8849c6b04391dd350c3da70d1e67a69c06b05242811c223320870ff10ecfa77e02', '2026-11-29 08:09:00.379527+00', '\x2834419f5c7141ceb11448de19761c1affa4e7bc8e89acac294745209ec80718');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', 1, '\x12f799cfc1a5e892134b24c5df97f7cc75d959d2548c2061a4d912256f3a820f236ec7506ba79ff7f323f0b01067f3a52dfe6f9f160284ff6d61d8136148e8e19e0c221cc55e833f', '2026-11-29 08:09:00.380655+00', '\x38b3f1fa1e4ed7160aecb38f715247713032dc1d20fd42348e80b25d132eced2');
INSERT INTO sesame_keys VALUES (137, '\x000000000000000000000000000000000acc0001', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', 1, '\x84facd6b9545853ab107f4862324667f8a793b05672aa0ec1f288b3450ba47a0bc1e8e5fe3aabcc51eeb06576056230ea505f1cb1430969a0f477055fba79e6a4aaa283a61f16d37', '2026-11-29 08:09:00.388184+00', '\xf10c5198f1ed6e8cffecfe4bbd0a3d1c869fd964518b97eab96d71388eb10fd1');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0002', '\xc1abdac98dd8e557c58512bdf033640076c901af', 1, '\xe69171f7db316cdb7fe19b2ffee7f9ce7bf6b911c3a014f30cd370e268bb2ff49be77af836ff6108c9d0240a067b11412a7e33ae43932e1a7556ace17c2590bd269857e155344da4', '2026-11-29 08:09:00.392182+00', '\x2bea4e2b30cf8104c1f902c3e54f937188c21ad1f1dab16c89ad0e0d2b7b8145');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0003', '\x34d722a10efbbf72f65bb8145ed79a6a1ecf6d5e', 1, '\x8e7b52aa5cdd651496b72521f1171de9419b5438dd52d6a55665b452f242c86f696d83d8a8ec39bb32efb62326a7afa830b77215859cf41e6850314326a6bbd811143abff273046b', '2026-11-29 08:09:00.397154+00', '\xc87472be8210f880af38b522bb0efd370e16cee79e2fa295ca3450826966bd42');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0004', '\xce294b3af8e580a4ffcbd762b1ba234b2fd546e3', 1, '\xb001b6567f523c75e8ee2b59d4cef95308dd7137725386615e7617aa99128e6fbd7ce3e69b6a2816ef7ab602d9aaa72f0f08c4f8ef4c9e4f8c5ac4ed342bfbd96139eea64290a649', '2026-11-29 08:09:00.399048+00', '\xa60e4e29f31204e2c867635b73ba33b24fc73eed259ed3e51c46096b0b0026d9');


--
-- Data for Name: sesame_lanes; Type: TABLE DATA; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

INSERT INTO sesame_lanes VALUES (80002, '\x000000000000000000000000000000000acc0001', '\x8be3616ea4bded2c593bc4688398f6002b59c08fad028fb7', '\x776f726b65722031', '2026-11-29 09:09:00.401496+00');
INSERT INTO sesame_lanes VALUES (80002, '\x000000000000000000000000000000000acc0001', '\x3a983c64fedb6b2df68a072fda6184c28f5e6d9484c260df', '\x', '-infinity');


--
-- Data for Name: sesame_leaves; Type: TABLE DATA; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 0, '\x6d696e74696e67', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xa931e8a1c4a968816a2b92f38bab669a6cb3e3b5', '\x9dd6d86963d2180a0f211c0bd8d8092720cb4eceb7d943eb21be0b7258fb94a8', '\x66756e6374696f6e206d696e74696e67286164647265737320746f29', '\x070d5361850d8063db7665c7ccfadc05f5f81453f3829c4fcb49456adee36de8');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 1, '\x73746f70706564', 3, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', '\xe773a6b84c1c486cef658f6807ba5dfe6943cbd340b85c4cd9a52d072e22fe7d', '\x66756e6374696f6e2073746f70706564286164647265737320746f29', '\x098b09f995b710ade632d290c642ab0d06be3cf65f2e8db58385559628ee9390');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 2, '\x656e646564', 2, true, 1700000000, 1600000000, '\x000006bc2ecdae38113929293d241cf252d91861', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', '\xeda95f959a2930889a9a5ac20593327fae0cbcf35fa43e612c4ff964430edb38', '\x66756e6374696f6e20656e646564286164647265737320746f29', '\x29085b54b35c7a4ff4091b1e5f821bcc26939a03e451a5bbb48df657cc945b14');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 3, '\x676f6e65', 3, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', '\x9d8c9d88d5fce75753edc9c22fb0b524e5d29d40c6e3a5c72dc4cb5f2336b36a', '\x66756e6374696f6e20676f6e65286164647265737320746f29', '\xba5e7862dcd2fa1555d1d12f8da5929ff5350716d8fbf94bc1ede637b45ebc5c');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 4, '\x6e657874', 1, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xa931e8a1c4a968816a2b92f38bab669a6cb3e3b5', '\xbc22d392f6b02abfc2117f967337685830683d75ac6b349edee2b041f8fed2a4', '\x66756e6374696f6e206e657874286164647265737320746f29', '\x26f47e3ce4d8cc553e237ffa276fc1de138ad67a2edc189bf2eb47f87c98a657');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 0, '\x61', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\x3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb', '\x66756e6374696f6e2061286164647265737320746f29', '\xe0b89302efe3d315c9a918adfc2947cf63dd826bf2f3edf6765688dbc6e19882');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 1, '\x62', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\xb5553de315e0edf504d9150af82dafa5c4667fa618ed0a6f19c69b41166c5510', '\x66756e6374696f6e2062286164647265737320746f29', '\x87c55458a7955f45c878234839d346e85558193843ff4c6b1c9f2ffcc04fdc1c');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 2, '\x63', 3, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\x0b42b6393c1f53060fe3ddbfcd7aadcca894465a5a438f69c87d790b2299b9b2', '\x66756e6374696f6e2063286164647265737320746f29', '\x1b4e02ca519a3b1fcce3e18def86d689cdb3f2b8eb8b56d8a5ef73c3a1fff7de');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 3, '\x6c656674206f7574', 2, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\x63c91799e1bbf5ccad340d2cc51a8705d15dc4cc53d522b8a8458d0e8b94a3d2', '\x66756e6374696f6e206c656674206f7574286164647265737320746f29', '\x674e7a56c973640e8bc7506febdae8e445849259b063a3b4bab806f2dc91f7ae');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0002', 0, '\x6669727374', 1, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xc1abdac98dd8e557c58512bdf033640076c901af', '\x692e3fbb06193c3a65b6ccb60c9ec6fb32af21c16d3f6ac10039258c2a5d4d2d', '\x66756e6374696f6e206669727374286164647265737320746f29', '\xe7b9212a100bb830f72e58075dcf98a5e50f904c4edf1451005971a643832291');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0003', 0, '\x7374617973', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x34d722a10efbbf72f65bb8145ed79a6a1ecf6d5e', '\x4134e162f8935eac6d3363a7d90ca4a38dfdb749e94a9354b269f9ccbde83b42', '\x66756e6374696f6e207374617973286164647265737320746f29', '\x609f8a74271ebdb1d89c0296e5dba2ede246f7b71e450bd7b0c635e3d9c0b455');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0003', 1, '\x6c6561766573', 3, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x34d722a10efbbf72f65bb8145ed79a6a1ecf6d5e', '\x1f23ad5fc0ee6ccbe2f3d30df856758f05ad9d03408a51a99c1c9f0854309db2', '\x66756e6374696f6e206c6561766573286164647265737320746f29', '\x9bf226347b8ad2ab13c974571b3f4ff1cafea4a09c5e6742898daaa73a7016d2');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0004', 0, '\x6f6c64', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xce294b3af8e580a4ffcbd762b1ba234b2fd546e3', '\xf6832a2ac9bbf5bd0cf3f96fbc984efa35bbe86c03d1e1b7328a15c6c73e1395', '\x66756e6374696f6e206f6c64286164647265737320746f29', '\xedab8756eee8013bb10eb7afb7db5763eff73cc9d7d7cde918cba42a4dd816f9');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0004', 1, '\x6f6c646572', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xce294b3af8e580a4ffcbd762b1ba234b2fd546e3', '\x4a4493ada8bd001e5c5f59acc092c8406804d2e69cb1074dbd8c8619f06df7c7', '\x66756e6374696f6e206f6c646572286164647265737320746f29', '\x99c02502a6fd97e8c657428e059342c18cf6e947d52bee6fd842e306aca7ef5e');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0004', 2, '\x6c656674', 3, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xce294b3af8e580a4ffcbd762b1ba234b2fd546e3', '\x34cd620fad7e78781d69fdf227dd4013ed00139c6954a1ed6d74a7e032e0ea2a', '\x66756e6374696f6e206c656674286164647265737320746f29', '\x71c0b1e5fae3d5a706efa0fad7657928df75ec491d8bf5580c51444bbf81c1f5');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0004', 3, '\x6164646564', 3, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xce294b3af8e580a4ffcbd762b1ba234b2fd546e3', '\xdedd704501704f7991a32fb105552a4ab47a52c46817293082f14fd934f9f8cc', '\x66756e6374696f6e206164646564286164647265737320746f29', '\x63a57245bcfa932025406c2a40cf5b66856e11d646a6f2f4435b8ad839404183');


--
-- Data for Name: sesame_outbox; Type: TABLE DATA; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--



--
-- Data for Name: sesame_schema; Type: TABLE DATA; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

INSERT INTO sesame_schema VALUES (1, '0001_sessions.sql', '2026-11-29 08:09:00.316004+00');
INSERT INTO sesame_schema VALUES (2, '0002_suspend.sql', '2026-11-29 08:09:00.316004+00');
INSERT INTO sesame_schema VALUES (3, '0003_landed.sql', '2026-11-29 08:09:00.316004+00');
INSERT INTO sesame_schema VALUES (4, '0004_outbox.sql', '2026-11-29 08:09:00.316004+00');


--
-- Data for Name: sesame_sessions; Type: TABLE DATA; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0001', 2, 5, '\xd31ba8d9d6bab8271138b6077b9084659aba84e11ced708f8778ff55a3f53b45', NULL, '\x53f4baa133c4929dd005463de4a56e0db0697276414e3848f8ad455668628876', '\x1f1cfe8670c20aaace011af83ca6696c433437a1fe08af3412db149a98fdc6c1', '\xfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeed0000000000000007', '{"\\x6e657874"}', '{"\\x73746f70706564","\\x656e646564"}', '2026-11-29 08:09:00.385378+00', NULL, 0, '\x92554cac46f465117dd6f79339f791b2fc1a84163ffa8fbe9b002c6cdc7f0f64', NULL);
INSERT INTO sesame_sessions VALUES (137, '\x000000000000000000000000000000000acc0001', 2, 4, '\x80b264a9a13ca5e7bfcdfd85cf67e683c1b1081e0236829bb94b61251a188261', '{"\\x63","\\x61","\\x62"}', NULL, NULL, NULL, NULL, NULL, '2026-11-29 08:09:00.389963+00', NULL, 0, '\x8190c1b93f410ac602a024247159c5c210c1fc93dcd73f03815e13a5a7279881', NULL);
INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0002', 2, 1, '\x0000000000000000000000000000000000000000000000000000000000000000', NULL, '\xb8788f08f481c43ee37c5e16c0188e9672c493f90d5d51ffb3b11e434c10087c', '\x4ebf512123aa64449a2350e91b0d5fdfa15dea898575ffebfaf69a1f31e56679', '\x0000000000000000000000000000000000000000000000000000000000000000', '{"\\x6669727374"}', NULL, '2026-11-29 08:09:00.39598+00', NULL, 0, '\x7bd57ec3253aae0eac61e12db7294bd9890d06bc62187ab93bc61a8d6ee0d930', NULL);
INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0003', 2, 2, '\x804db4954ac03c494c41623f4eb42f594a3d3dbf046f3ea721e078f2c0d94df5', NULL, '\x861824e73c4aa67521eff67c6d15596b9ec8dbc1610e0480397452e8e4ae8e21', '\x7af6aece9d00d665043ec529ef7d3d12a583c34f9fb012f72fdeb7fd6a748047', '\x000000000000000000000000000000000000000000000000000000000000000c', NULL, '{"\\x6c6561766573"}', '2026-11-29 08:09:00.398408+00', '{"sender":"0x000000000000000000000000000000000ACC0003","nonce":"0xc","initCode":"0x01","callData":"0x7af6aece9d00d665043ec529ef7d3d12a583c34f9fb012f72fdeb7fd6a748047","callGasLimit":"0x186a0","verificationGasLimit":"0x30d40","preVerificationGas":"0xc350","maxFeePerGas":"0xb2d05e00","maxPriorityFeePerGas":"0x3b9aca00","paymasterAndData":"0x0203","signature":"0x040506"}', 3900000000, '\xa54212c637e21f9c0282409cec57625ef8872b15ad3dabc71269ecc6e0c34f0e', NULL);
INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0004', 2, 4, '\x8ab51227ffdb289458e0ef9c7d5ff25576bbf1c47e8da663698cdffc5a3a56b9', NULL, '\xc41b22b3ce0a275befbf7d4063856c544650e0cc595b3a74c3d3f350f2757698', '\x7af6aece9d00d665043ec529ef7d3d12a583c34f9fb012f72fdeb7fd6a748047', '\x000000000000000000000000000000000000000000000000000000000000000c', NULL, '{"\\x6164646564"}', '2026-11-29 08:09:00.399935+00', '{"sender":"0x000000000000000000000000000000000ACC0003","nonce":"0xc","initCode":"0x01","callData":"0x7af6aece9d00d665043ec529ef7d3d12a583c34f9fb012f72fdeb7fd6a748047","callGasLimit":"0x186a0","verificationGasLimit":"0x30d40","preVerificationGas":"0xc350","maxFeePerGas":"0xb2d05e00","maxPriorityFeePerGas":"0x3b9aca00","paymasterAndData":"0x0203","signature":"0x040506"}', 3900000000, '\x1cae51e5e7ad020e58e5ecec86a3e1448ea28f284aa553ce6efef9d2f6d601d9', '{"before":"0xef4af11b3cae566a523fb923a0a1d3a176a25fc0543c404fbb0ec74a19be6436","order":["bGVmdA==","b2xkZXI=","b2xk"],"activated":["YWRkZWQ="],"change":{"root":"0x8ab51227ffdb289458e0ef9c7d5ff25576bbf1c47e8da663698cdffc5a3a56b9","opHash":"0xa72fd109f1975359ff67bd5ebe67fb335d4d285dc5067f5b17f0aaa21f3d5084","nonce":"12","operation":{"sender":"0x000000000000000000000000000000000ACC0003","nonce":"0xc","initCode":"0x01","callData":"0xa72fd109f1975359ff67bd5ebe67fb335d4d285dc5067f5b17f0aaa21f3d5084","callGasLimit":"0x186a0","verificationGasLimit":"0x30d40","preVerificationGas":"0xc350","maxFeePerGas":"0xb2d05e00","maxPriorityFeePerGas":"0x3b9aca00","paymasterAndData":"0x0203","signature":"0x040506"},"until":3900000000,"add":["YWRkZWQ="],"remove":["bGVmdA=="]}}');


--
-- Name: sesame_outbox_id_seq; Type: SEQUENCE SET; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

SELECT pg_catalog.setval('sesame_outbox_id_seq', 1, false);


--
-- Name: sesame_data_keys sesame_data_keys_pkey; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_data_keys
    ADD CONSTRAINT sesame_data_keys_pkey PRIMARY KEY (id);


--
-- Name: sesame_keys sesame_keys_pkey; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_keys
    ADD CONSTRAINT sesame_keys_pkey PRIMARY KEY (chain_id, account, address);


--
-- Name: sesame_lanes sesame_lanes_pkey; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_lanes
    ADD CONSTRAINT sesame_lanes_pkey PRIMARY KEY (chain_id, account, lane);


--
-- Name: sesame_leaves sesame_leaves_chain_id_account_position_key; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_leaves
    ADD CONSTRAINT sesame_leaves_chain_id_account_position_key UNIQUE (chain_id, account, "position") DEFERRABLE;


--
-- Name: sesame_leaves sesame_leaves_pkey; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_leaves
    ADD CONSTRAINT sesame_leaves_pkey PRIMARY KEY (chain_id, account, id);


--
-- Name: sesame_outbox sesame_outbox_pkey; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_outbox
    ADD CONSTRAINT sesame_outbox_pkey PRIMARY KEY (id);


--
-- Name: sesame_schema sesame_schema_pkey; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_schema
    ADD CONSTRAINT sesame_schema_pkey PRIMARY KEY (version);


--
-- Name: sesame_sessions sesame_sessions_pkey; Type: CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_sessions
    ADD CONSTRAINT sesame_sessions_pkey PRIMARY KEY (chain_id, account);


--
-- Name: sesame_keys_by_data_key; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_keys_by_data_key ON sesame_keys USING btree (data_key);


--
-- Name: sesame_leaves_by_account; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_leaves_by_account ON sesame_leaves USING btree (account, chain_id, "position");


--
-- Name: sesame_leaves_by_end; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_leaves_by_end ON sesame_leaves USING btree (valid_until) WHERE (valid_until > 0);


--
-- Name: sesame_leaves_by_key; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_leaves_by_key ON sesame_leaves USING btree (key, chain_id, account, "position");


--
-- Name: sesame_leaves_by_status; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_leaves_by_status ON sesame_leaves USING btree (status, chain_id, account, "position");


--
-- Name: sesame_leaves_standing; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_leaves_standing ON sesame_leaves USING btree (chain_id, account, "position") WHERE ((status = 3) AND in_tree);


--
-- Name: sesame_outbox_account; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_outbox_account ON sesame_outbox USING btree (account, id);


--
-- Name: sesame_outbox_due; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_outbox_due ON sesame_outbox USING btree (lease_until, id) WHERE ((state = 1) OR (NOT reported));


--
-- Name: sesame_outbox_hash; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_outbox_hash ON sesame_outbox USING btree ((hashes[1]));


--
-- Name: sesame_outbox_hashes; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_outbox_hashes ON sesame_outbox USING gin (hashes) WHERE (cardinality(hashes) > 1);


--
-- Name: sesame_outbox_key; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE UNIQUE INDEX sesame_outbox_key ON sesame_outbox USING btree (chain_id, account, key);


--
-- Name: sesame_outbox_nonce; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE UNIQUE INDEX sesame_outbox_nonce ON sesame_outbox USING btree (chain_id, account, nonce) WHERE (state = 1);


--
-- Name: sesame_outbox_over; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_outbox_over ON sesame_outbox USING btree (ended_at, id) WHERE ((state > 1) AND reported);


--
-- Name: sesame_outbox_state; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_outbox_state ON sesame_outbox USING btree (state, id);


--
-- Name: sesame_sessions_pending; Type: INDEX; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE INDEX sesame_sessions_pending ON sesame_sessions USING btree (chain_id, account) WHERE (pending_root IS NOT NULL);


--
-- Name: sesame_outbox sesame_outbox_number; Type: TRIGGER; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

CREATE TRIGGER sesame_outbox_number BEFORE INSERT ON sesame_outbox FOR EACH ROW EXECUTE FUNCTION sesame_outbox_number();


--
-- Name: sesame_keys sesame_keys_data_key_fkey; Type: FK CONSTRAINT; Schema: sesame_test_2qkmlrbneef7mgqaiczpxmkobl; Owner: -
--

ALTER TABLE ONLY sesame_keys
    ADD CONSTRAINT sesame_keys_data_key_fkey FOREIGN KEY (data_key) REFERENCES sesame_data_keys(id);


--
-- PostgreSQL database dump complete
--


