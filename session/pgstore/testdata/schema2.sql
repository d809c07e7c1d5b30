-- lanes: 0xfa37aefb809d5370ff5db6e32680316502e39808b45a8e1c 0xe315904345413728f9dbbf6ba25634a55791928891ec2fca
--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)


--
-- Name: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Type: SCHEMA; Schema: -; Owner: -
--



--
-- Name: sesame_apply(bigint, bytea, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], bytea[], smallint[], boolean[], bigint[], bigint[], bytea[], bytea[], bytea[], bytea[], bytea[]); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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
-- Name: sesame_apply(integer, bigint, bytea, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], json, bigint, bytea[], smallint[], boolean[], bigint[], bigint[], bytea[], bytea[], bytea[], bytea[], bytea[]); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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
-- Name: sesame_data_key_sum(bigint, bytea); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE FUNCTION sesame_data_key_sum(id bigint, sealed bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    select sha256('data key' || int8send($1) || $2)
$_$;


--
-- Name: sesame_key_sum(bigint, bytea, bytea, bigint, bytea); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE FUNCTION sesame_key_sum(chain_id bigint, account bytea, address bytea, data_key bigint, sealed bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    select sha256('key' || int8send($1) || $2 || $3 || int8send($4) || $5)
$_$;


--
-- Name: sesame_leaf_sum(bigint, bytea, bigint, bytea, smallint, boolean, bigint, bigint, bytea, bytea, bytea, bytea); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE FUNCTION sesame_leaf_sum(chain_id bigint, account bytea, "position" bigint, id bytea, status smallint, in_tree boolean, valid_until bigint, valid_after bigint, module bytea, key bytea, data bytea, function bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    select sha256('leaf' || int8send($1) || $2 || int8send($3) || int2send($5) || boolsend($6) || int8send($7) || int8send($8) || $9 || $10
        || int8send(octet_length($4)::bigint) || $4 || int8send(octet_length($11)::bigint) || $11 || $12)
$_$;


--
-- Name: sesame_lock(text, bigint, bytea); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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
-- Name: sesame_lock(integer, text, bigint, bytea); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE FUNCTION sesame_lock(program integer, what text, for_chain bigint, for_account bytea) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
begin
    if program <> 2 then
        raise exception using errcode = 'SES01',
            message = 'it is version 2, the program knows up to ' || program || '; update the program';
    end if;
    return hashtextextended('sesame ' || what || ' ' || for_chain || ' ' || encode(for_account, 'hex'), 0);
end
$$;


--
-- Name: sesame_session_sum(bigint, bytea, bigint, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], json, bigint); Type: FUNCTION; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE FUNCTION sesame_session_sum(chain_id bigint, account bytea, version bigint, leaves bigint, root bytea, tree_order bytea[], pending_root bytea, pending_op bytea, pending_nonce bytea, pending_add bytea[], pending_remove bytea[], pending_operation json, pending_until bigint) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
    select sha256('session' || int8send($1) || $2 || int8send($3) || int8send($4) || $5
        || case when $6 is null then '\x00' else '\x01' || int8send(octet_length(array_send($6))::bigint) || array_send($6) end
        || case when $7 is null then '\x00' else '\x01' || $7 || $8 || $9 end
        || case when $10 is null then '\x00' else '\x01' || int8send(octet_length(array_send($10))::bigint) || array_send($10) end
        || case when $11 is null then '\x00' else '\x01' || int8send(octet_length(array_send($11))::bigint) || array_send($11) end
        || int8send($13)
        || case when $12 is null then '\x00' else '\x01' || convert_to($12::text, 'UTF8') end)
$_$;




--
-- Name: sesame_data_keys; Type: TABLE; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE TABLE sesame_data_keys (
    id bigint NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    checksum bytea NOT NULL,
    CONSTRAINT sesame_data_keys_id_check CHECK ((id > 0))
);


--
-- Name: sesame_keys; Type: TABLE; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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
-- Name: sesame_lanes; Type: TABLE; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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
-- Name: sesame_leaves; Type: TABLE; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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
-- Name: sesame_schema; Type: TABLE; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE TABLE sesame_schema (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: sesame_sessions; Type: TABLE; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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
-- Data for Name: sesame_data_keys; Type: TABLE DATA; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

INSERT INTO sesame_data_keys VALUES (1, '\x01000000010000004001545bdbcccac42fa7e6322e0588a56b7cb3634db6c1b43cb1b12e80ad77d192d69bafe409ab454813dd855cfe0f93b9e284dda52f64d369f0d43c87f5d057ebc562506933459610ea8b5cb230fc93e66b69b39a3bca3aee5c', '2026-11-29 02:31:20.12804+00', '\x9c8da3d790ceff343fe5a0a72a53957ac577cb81394e43e613324cebbcb6da42');


--
-- Data for Name: sesame_keys; Type: TABLE DATA; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xa931e8a1c4a968816a2b92f38bab669a6cb3e3b5', 1, '\xa9a24224b8f5c6a7097286437d548fb84eaf38eabbc3cb7bfb6e01ee457a4eaafa08d35a1e63d95b968ba9a8cc226fa7d4b84b0714fa40a5cff4ead9bf5269f73a5ac0655f942562', '2026-11-29 02:31:20.142783+00', '\xb3ac44e95fa3e12950f6508e9cda5cea5c96e1b8c7d25f83e4941b8dcd6d7d48');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', 1, '\xfe1ff1bca77a729f354ca6b861cd12202e3e3e82c91abfc234c42bcc64d3614ed7b72bc021597628ebcf0f6c9a4377903a7fd70783c2f9583e3a8bed0a0e80592043426779bfcd0e', '2026-11-29 02:31:20.148452+00', '\x7662e2300be2b2c77e8a8ec280cbb7267fbe9a7a7b298f3a0bfd8cd6f6dabfec');
INSERT INTO sesame_keys VALUES (137, '\x000000000000000000000000000000000acc0001', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', 1, '\x28d3cf28fb755613fb68e4c21cad3395694e61e0caec16c14e67255c981dacebf5e224ae00f232a0a10108ba53cf5e0534af0e5e1887eae77b6e040af75f46a5e4778ad01f402893', '2026-11-29 02:31:20.184878+00', '\xf6c845fe0eb2fe1a085b0eef446104916989aa5caf062b30e5122d59f8439d78');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0002', '\xc1abdac98dd8e557c58512bdf033640076c901af', 1, '\x5ec660da4f8185b1d762cc2f2acb31ca80001ace81468ea1aa23c46b182a14ef6c67e85b6fafdfee5d91c5af6c25ccd1c8791e751eecdca2f63ab457d62d53367f20961a6585fec4', '2026-11-29 02:31:20.203989+00', '\xabdf1caee09d79f1c8d4d3e323c675600280eecc01037bedbf69b96837ff1fd1');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0003', '\x34d722a10efbbf72f65bb8145ed79a6a1ecf6d5e', 1, '\x301aa79a5f3f20dbc1fd3f535162089ad150b6ab6c73a5a597152000a57d3d0ae7e3a747b5db01d4f1ffbf5a855d79a379bc567d27284541a8005851bf47778a517e87afcd57e049', '2026-11-29 02:31:20.212809+00', '\x93b36bff4a97772acab32b6033cb8125ce2af1ce82ab6a30ee2decd7daef714a');


--
-- Data for Name: sesame_lanes; Type: TABLE DATA; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

INSERT INTO sesame_lanes VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xfa37aefb809d5370ff5db6e32680316502e39808b45a8e1c', '\x776f726b65722031', '2026-11-29 03:31:20.24107+00');
INSERT INTO sesame_lanes VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xe315904345413728f9dbbf6ba25634a55791928891ec2fca', '\x', '-infinity');


--
-- Data for Name: sesame_leaves; Type: TABLE DATA; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
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


--
-- Data for Name: sesame_schema; Type: TABLE DATA; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

INSERT INTO sesame_schema VALUES (1, '0001_sessions.sql', '2026-11-29 02:31:19.96544+00');
INSERT INTO sesame_schema VALUES (2, '0002_suspend.sql', '2026-11-29 02:31:19.96544+00');


--
-- Data for Name: sesame_sessions; Type: TABLE DATA; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0001', 2, 5, '\xd31ba8d9d6bab8271138b6077b9084659aba84e11ced708f8778ff55a3f53b45', NULL, '\x53f4baa133c4929dd005463de4a56e0db0697276414e3848f8ad455668628876', '\x1f1cfe8670c20aaace011af83ca6696c433437a1fe08af3412db149a98fdc6c1', '\xfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeed0000000000000007', '{"\\x6e657874"}', '{"\\x73746f70706564","\\x656e646564"}', '2026-11-29 02:31:20.174969+00', NULL, 0, '\xbd90ed4193829c8e7405025866a0f03931da483784647ef32b4cd4613f3125eb');
INSERT INTO sesame_sessions VALUES (137, '\x000000000000000000000000000000000acc0001', 2, 4, '\x80b264a9a13ca5e7bfcdfd85cf67e683c1b1081e0236829bb94b61251a188261', '{"\\x63","\\x61","\\x62"}', NULL, NULL, NULL, NULL, NULL, '2026-11-29 02:31:20.192286+00', NULL, 0, '\xb7a8362bfce09e001a356364971e20f3debb027f9400aab8a44f2f384117d04e');
INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0002', 2, 1, '\x0000000000000000000000000000000000000000000000000000000000000000', NULL, '\xb8788f08f481c43ee37c5e16c0188e9672c493f90d5d51ffb3b11e434c10087c', '\x4ebf512123aa64449a2350e91b0d5fdfa15dea898575ffebfaf69a1f31e56679', '\x0000000000000000000000000000000000000000000000000000000000000000', '{"\\x6669727374"}', NULL, '2026-11-29 02:31:20.206484+00', NULL, 0, '\xf5316d4a814a8c2570260ca5f625d34561bf2ef4f4b7a1f1eaf578c81cc6c928');
INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0003', 2, 2, '\x804db4954ac03c494c41623f4eb42f594a3d3dbf046f3ea721e078f2c0d94df5', NULL, '\x861824e73c4aa67521eff67c6d15596b9ec8dbc1610e0480397452e8e4ae8e21', '\x7af6aece9d00d665043ec529ef7d3d12a583c34f9fb012f72fdeb7fd6a748047', '\x000000000000000000000000000000000000000000000000000000000000000c', NULL, '{"\\x6c6561766573"}', '2026-11-29 02:31:20.229965+00', '{"sender":"0x000000000000000000000000000000000ACC0003","nonce":"0xc","initCode":"0x01","callData":"0x7af6aece9d00d665043ec529ef7d3d12a583c34f9fb012f72fdeb7fd6a748047","callGasLimit":"0x186a0","verificationGasLimit":"0x30d40","preVerificationGas":"0xc350","maxFeePerGas":"0xb2d05e00","maxPriorityFeePerGas":"0x3b9aca00","paymasterAndData":"0x0203","signature":"0x040506"}', 3900000000, '\xed34de56c5f8806b139eaf85fd11aa61443ed89e7d62af152cd5063d54acbd1d');


--
-- Name: sesame_data_keys sesame_data_keys_pkey; Type: CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_data_keys
    ADD CONSTRAINT sesame_data_keys_pkey PRIMARY KEY (id);


--
-- Name: sesame_keys sesame_keys_pkey; Type: CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_keys
    ADD CONSTRAINT sesame_keys_pkey PRIMARY KEY (chain_id, account, address);


--
-- Name: sesame_lanes sesame_lanes_pkey; Type: CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_lanes
    ADD CONSTRAINT sesame_lanes_pkey PRIMARY KEY (chain_id, account, lane);


--
-- Name: sesame_leaves sesame_leaves_chain_id_account_position_key; Type: CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_leaves
    ADD CONSTRAINT sesame_leaves_chain_id_account_position_key UNIQUE (chain_id, account, "position") DEFERRABLE;


--
-- Name: sesame_leaves sesame_leaves_pkey; Type: CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_leaves
    ADD CONSTRAINT sesame_leaves_pkey PRIMARY KEY (chain_id, account, id);


--
-- Name: sesame_schema sesame_schema_pkey; Type: CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_schema
    ADD CONSTRAINT sesame_schema_pkey PRIMARY KEY (version);


--
-- Name: sesame_sessions sesame_sessions_pkey; Type: CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_sessions
    ADD CONSTRAINT sesame_sessions_pkey PRIMARY KEY (chain_id, account);


--
-- Name: sesame_keys_by_data_key; Type: INDEX; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE INDEX sesame_keys_by_data_key ON sesame_keys USING btree (data_key);


--
-- Name: sesame_leaves_by_account; Type: INDEX; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE INDEX sesame_leaves_by_account ON sesame_leaves USING btree (account, chain_id, "position");


--
-- Name: sesame_leaves_by_end; Type: INDEX; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE INDEX sesame_leaves_by_end ON sesame_leaves USING btree (valid_until) WHERE (valid_until > 0);


--
-- Name: sesame_leaves_by_key; Type: INDEX; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE INDEX sesame_leaves_by_key ON sesame_leaves USING btree (key, chain_id, account, "position");


--
-- Name: sesame_leaves_by_status; Type: INDEX; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE INDEX sesame_leaves_by_status ON sesame_leaves USING btree (status, chain_id, account, "position");


--
-- Name: sesame_leaves_standing; Type: INDEX; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE INDEX sesame_leaves_standing ON sesame_leaves USING btree (chain_id, account, "position") WHERE ((status = 3) AND in_tree);


--
-- Name: sesame_sessions_pending; Type: INDEX; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

CREATE INDEX sesame_sessions_pending ON sesame_sessions USING btree (chain_id, account) WHERE (pending_root IS NOT NULL);


--
-- Name: sesame_keys sesame_keys_data_key_fkey; Type: FK CONSTRAINT; Schema: sesame_test_ttqjazvuqro3ympdkx4vyruirc; Owner: -
--

ALTER TABLE ONLY sesame_keys
    ADD CONSTRAINT sesame_keys_data_key_fkey FOREIGN KEY (data_key) REFERENCES sesame_data_keys(id);


--
-- PostgreSQL database dump complete
--


