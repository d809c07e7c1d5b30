-- lanes: 0x9d839e95a32d2f1faf5fe765bcbdce5b91eec820da635b65 0x6e9740161a15858c295f1e12ced8115eabae5d634712e930
--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)


--
-- Name: sesame_test_53y7gc33smwfjsekqep63jfe23; Type: SCHEMA; Schema: -; Owner: -
--



--
-- Name: sesame_apply(bigint, bytea, bigint, bytea, bytea[], bytea, bytea, bytea, bytea[], bytea[], bytea[], smallint[], boolean[], bigint[], bigint[], bytea[], bytea[], bytea[], bytea[], bytea[]); Type: FUNCTION; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
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
-- Name: sesame_lock(text, bigint, bytea); Type: FUNCTION; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE FUNCTION sesame_lock(what text, for_chain bigint, for_account bytea) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    select hashtextextended('sesame ' || what || ' ' || for_chain || ' ' || encode(for_account, 'hex'), 0)
$$;




--
-- Name: sesame_data_keys; Type: TABLE; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE TABLE sesame_data_keys (
    id bigint NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sesame_data_keys_id_check CHECK ((id > 0))
);


--
-- Name: sesame_keys; Type: TABLE; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE TABLE sesame_keys (
    chain_id bigint NOT NULL,
    account bytea NOT NULL,
    address bytea NOT NULL,
    data_key bigint NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sesame_keys_account_check CHECK ((octet_length(account) = 20)),
    CONSTRAINT sesame_keys_address_check CHECK ((octet_length(address) = 20)),
    CONSTRAINT sesame_keys_chain_id_check CHECK ((chain_id > 0))
);


--
-- Name: sesame_lanes; Type: TABLE; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
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
-- Name: sesame_leaves; Type: TABLE; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
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
    CONSTRAINT sesame_leaves_id_check CHECK ((octet_length(id) > 0)),
    CONSTRAINT sesame_leaves_key_check CHECK ((octet_length(key) = 20)),
    CONSTRAINT sesame_leaves_module_check CHECK ((octet_length(module) = 20)),
    CONSTRAINT sesame_leaves_position_check CHECK (("position" >= 0)),
    CONSTRAINT sesame_leaves_status_check CHECK (((status >= 1) AND (status <= 3)))
);


--
-- Name: sesame_schema; Type: TABLE; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE TABLE sesame_schema (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: sesame_sessions; Type: TABLE; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
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
    CONSTRAINT sesame_sessions_account_check CHECK ((octet_length(account) = 20)),
    CONSTRAINT sesame_sessions_chain_id_check CHECK ((chain_id > 0)),
    CONSTRAINT sesame_sessions_check CHECK ((num_nulls(pending_root, pending_op, pending_nonce) = ANY (ARRAY[0, 3]))),
    CONSTRAINT sesame_sessions_leaves_check CHECK ((leaves >= 0)),
    CONSTRAINT sesame_sessions_pending_nonce_check CHECK ((octet_length(pending_nonce) = 32)),
    CONSTRAINT sesame_sessions_pending_op_check CHECK ((octet_length(pending_op) = 32)),
    CONSTRAINT sesame_sessions_pending_root_check CHECK ((octet_length(pending_root) = 32)),
    CONSTRAINT sesame_sessions_root_check CHECK ((octet_length(root) = 32)),
    CONSTRAINT sesame_sessions_version_check CHECK ((version > 0))
);


--
-- Data for Name: sesame_data_keys; Type: TABLE DATA; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

INSERT INTO sesame_data_keys VALUES (1, '\x0100000001000000400111c9592203faddd206ec3a602142265a49749f3c0007b2d27400b2532095a6c93fe25d6bbbadbd488725eab9541be0d0755d9edf91e1c085a1d0e65d04c73d454c71f27ccb1b3fb5746925336ddd645a57a34bd1984adf51', '2026-11-28 22:39:39.646161+00');


--
-- Data for Name: sesame_keys; Type: TABLE DATA; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xa931e8a1c4a968816a2b92f38bab669a6cb3e3b5', 1, '\xdca2c38a7041c47065ae31b834904170f3a247df94592148549d7c5eaa5137a99f901679fa7ebe566170ace2e62f181f05fbdea5e3b498539bf66f075c0b2737b0af8368517f55b9', '2026-11-28 22:39:39.648158+00');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0001', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', 1, '\x0d76547a382f14bb4c45cbe279c4614715b5b0de74f6500bfc07c6b6a725e64fb9f8828212c9b0fc9b1a166646ae21fabf42c969196127201665bb63fa3367222ed877ae3c7d6d72', '2026-11-28 22:39:39.649334+00');
INSERT INTO sesame_keys VALUES (137, '\x000000000000000000000000000000000acc0001', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', 1, '\x39a68be5500ae739e85d056e7c812f08811fc7d9a8c6d064d1b730b13f0013d3bcdd423beb1a0cdf9d82db2cb3f958d62c6f6216dadc52368f5c586fa763dd06925823e30a5340ff', '2026-11-28 22:39:39.654265+00');
INSERT INTO sesame_keys VALUES (80002, '\x000000000000000000000000000000000acc0002', '\xc1abdac98dd8e557c58512bdf033640076c901af', 1, '\x1f21edb3f897604d812d2cd35f5a62492739f2d9430388b1b2190daab5c31379fbc4a8ed536239c7c53394fda1b60e2a3cedcdf3769f9e0c46b19c88829485f1700e164430db9a25', '2026-11-28 22:39:39.656511+00');


--
-- Data for Name: sesame_lanes; Type: TABLE DATA; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

INSERT INTO sesame_lanes VALUES (80002, '\x000000000000000000000000000000000acc0001', '\x9d839e95a32d2f1faf5fe765bcbdce5b91eec820da635b65', '\x776f726b65722031', '2026-11-28 23:39:39.659515+00');
INSERT INTO sesame_lanes VALUES (80002, '\x000000000000000000000000000000000acc0001', '\x6e9740161a15858c295f1e12ced8115eabae5d634712e930', '\x', '-infinity');


--
-- Data for Name: sesame_leaves; Type: TABLE DATA; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 0, '\x6d696e74696e67', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xa931e8a1c4a968816a2b92f38bab669a6cb3e3b5', '\x9dd6d86963d2180a0f211c0bd8d8092720cb4eceb7d943eb21be0b7258fb94a8', '\x66756e6374696f6e206d696e74696e67286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 1, '\x73746f70706564', 3, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', '\xe773a6b84c1c486cef658f6807ba5dfe6943cbd340b85c4cd9a52d072e22fe7d', '\x66756e6374696f6e2073746f70706564286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 2, '\x656e646564', 2, true, 1700000000, 1600000000, '\x000006bc2ecdae38113929293d241cf252d91861', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', '\xeda95f959a2930889a9a5ac20593327fae0cbcf35fa43e612c4ff964430edb38', '\x66756e6374696f6e20656e646564286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 3, '\x676f6e65', 3, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xd3c5eade225e38b92f54d4ab10be746486ecf48b', '\x9d8c9d88d5fce75753edc9c22fb0b524e5d29d40c6e3a5c72dc4cb5f2336b36a', '\x66756e6374696f6e20676f6e65286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0001', 4, '\x6e657874', 1, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xa931e8a1c4a968816a2b92f38bab669a6cb3e3b5', '\xbc22d392f6b02abfc2117f967337685830683d75ac6b349edee2b041f8fed2a4', '\x66756e6374696f6e206e657874286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 0, '\x61', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\x3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb', '\x66756e6374696f6e2061286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 1, '\x62', 2, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\xb5553de315e0edf504d9150af82dafa5c4667fa618ed0a6f19c69b41166c5510', '\x66756e6374696f6e2062286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 2, '\x63', 3, true, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\x0b42b6393c1f53060fe3ddbfcd7aadcca894465a5a438f69c87d790b2299b9b2', '\x66756e6374696f6e2063286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (137, '\x000000000000000000000000000000000acc0001', 3, '\x6c656674206f7574', 2, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\x93000c57b5ec7ea54740ab32fe3dbcc0ab7699c3', '\x63c91799e1bbf5ccad340d2cc51a8705d15dc4cc53d522b8a8458d0e8b94a3d2', '\x66756e6374696f6e206c656674206f7574286164647265737320746f29');
INSERT INTO sesame_leaves VALUES (80002, '\x000000000000000000000000000000000acc0002', 0, '\x6669727374', 1, false, 4000000000, 0, '\x000006bc2ecdae38113929293d241cf252d91861', '\xc1abdac98dd8e557c58512bdf033640076c901af', '\x692e3fbb06193c3a65b6ccb60c9ec6fb32af21c16d3f6ac10039258c2a5d4d2d', '\x66756e6374696f6e206669727374286164647265737320746f29');


--
-- Data for Name: sesame_schema; Type: TABLE DATA; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

INSERT INTO sesame_schema VALUES (1, '0001_sessions.sql', '2026-11-28 22:39:39.623913+00');


--
-- Data for Name: sesame_sessions; Type: TABLE DATA; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0001', 2, 5, '\xd31ba8d9d6bab8271138b6077b9084659aba84e11ced708f8778ff55a3f53b45', NULL, '\x53f4baa133c4929dd005463de4a56e0db0697276414e3848f8ad455668628876', '\x1f1cfe8670c20aaace011af83ca6696c433437a1fe08af3412db149a98fdc6c1', '\xfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeed0000000000000007', '{"\\x6e657874"}', '{"\\x73746f70706564","\\x656e646564"}', '2026-11-28 22:39:39.652844+00');
INSERT INTO sesame_sessions VALUES (137, '\x000000000000000000000000000000000acc0001', 2, 4, '\x80b264a9a13ca5e7bfcdfd85cf67e683c1b1081e0236829bb94b61251a188261', '{"\\x63","\\x61","\\x62"}', NULL, NULL, NULL, NULL, NULL, '2026-11-28 22:39:39.655423+00');
INSERT INTO sesame_sessions VALUES (80002, '\x000000000000000000000000000000000acc0002', 2, 1, '\x0000000000000000000000000000000000000000000000000000000000000000', NULL, '\xb8788f08f481c43ee37c5e16c0188e9672c493f90d5d51ffb3b11e434c10087c', '\x4ebf512123aa64449a2350e91b0d5fdfa15dea898575ffebfaf69a1f31e56679', '\x0000000000000000000000000000000000000000000000000000000000000000', '{"\\x6669727374"}', NULL, '2026-11-28 22:39:39.657468+00');


--
-- Name: sesame_data_keys sesame_data_keys_pkey; Type: CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_data_keys
    ADD CONSTRAINT sesame_data_keys_pkey PRIMARY KEY (id);


--
-- Name: sesame_keys sesame_keys_pkey; Type: CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_keys
    ADD CONSTRAINT sesame_keys_pkey PRIMARY KEY (chain_id, account, address);


--
-- Name: sesame_lanes sesame_lanes_pkey; Type: CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_lanes
    ADD CONSTRAINT sesame_lanes_pkey PRIMARY KEY (chain_id, account, lane);


--
-- Name: sesame_leaves sesame_leaves_chain_id_account_position_key; Type: CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_leaves
    ADD CONSTRAINT sesame_leaves_chain_id_account_position_key UNIQUE (chain_id, account, "position") DEFERRABLE;


--
-- Name: sesame_leaves sesame_leaves_pkey; Type: CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_leaves
    ADD CONSTRAINT sesame_leaves_pkey PRIMARY KEY (chain_id, account, id);


--
-- Name: sesame_schema sesame_schema_pkey; Type: CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_schema
    ADD CONSTRAINT sesame_schema_pkey PRIMARY KEY (version);


--
-- Name: sesame_sessions sesame_sessions_pkey; Type: CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_sessions
    ADD CONSTRAINT sesame_sessions_pkey PRIMARY KEY (chain_id, account);


--
-- Name: sesame_keys_by_data_key; Type: INDEX; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE INDEX sesame_keys_by_data_key ON sesame_keys USING btree (data_key);


--
-- Name: sesame_leaves_by_account; Type: INDEX; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE INDEX sesame_leaves_by_account ON sesame_leaves USING btree (account, chain_id, "position");


--
-- Name: sesame_leaves_by_end; Type: INDEX; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE INDEX sesame_leaves_by_end ON sesame_leaves USING btree (valid_until) WHERE (valid_until > 0);


--
-- Name: sesame_leaves_by_key; Type: INDEX; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE INDEX sesame_leaves_by_key ON sesame_leaves USING btree (key, chain_id, account, "position");


--
-- Name: sesame_leaves_by_status; Type: INDEX; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

CREATE INDEX sesame_leaves_by_status ON sesame_leaves USING btree (status, chain_id, account, "position");


--
-- Name: sesame_keys sesame_keys_data_key_fkey; Type: FK CONSTRAINT; Schema: sesame_test_53y7gc33smwfjsekqep63jfe23; Owner: -
--

ALTER TABLE ONLY sesame_keys
    ADD CONSTRAINT sesame_keys_data_key_fkey FOREIGN KEY (data_key) REFERENCES sesame_data_keys(id);


--
-- PostgreSQL database dump complete
--


