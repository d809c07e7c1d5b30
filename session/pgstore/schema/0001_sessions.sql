-- One row for each account on a chain: the session.State without its leaves. Changed by sesame_apply only.
create table sesame_sessions (
    chain_id       bigint not null check (chain_id > 0),
    account        bytea  not null check (octet_length(account) = 20),
    version        bigint not null check (version > 0),
    leaves         bigint not null check (leaves >= 0), -- how many it has
    root           bytea  not null check (octet_length(root) = 32),
    tree_order     bytea[],           -- leaf IDs, null where the tree's order is that of the positions
    -- The change of the root that waits for the chain; all null for none.
    pending_root   bytea check (octet_length(pending_root) = 32),
    pending_op     bytea check (octet_length(pending_op) = 32),
    pending_nonce  bytea check (octet_length(pending_nonce) = 32),
    pending_add    bytea[],           -- leaf IDs
    pending_remove bytea[],           -- leaf IDs
    changed_at     timestamptz not null default now(),
    primary key (chain_id, account),
    check (num_nulls(pending_root, pending_op, pending_nonce) in (0, 3))
);

-- One row for each leaf of a session, at positions 0, 1, 2 … without gaps. Strings are bytes: Go's may
-- hold what PostgreSQL's text cannot.
create table sesame_leaves (
    chain_id    bigint   not null,
    account     bytea    not null,
    position    bigint   not null check (position >= 0),
    id          bytea    not null check (octet_length(id) > 0),
    status      smallint not null check (status between 1 and 3), -- pending, active, revoked
    in_tree     boolean  not null,
    valid_until bigint   not null,    -- unix seconds, 0 for no end
    valid_after bigint   not null,    -- unix seconds
    module      bytea    not null check (octet_length(module) = 20),
    key         bytea    not null check (octet_length(key) = 20),
    data        bytea    not null,
    function    bytea    not null,
    primary key (chain_id, account, id),
    -- Checked at the end of a statement, which may move many leaves.
    unique (chain_id, account, position) deferrable
);

-- For listings, which are ordered by chain, account and position.
create index sesame_leaves_by_account on sesame_leaves (account, chain_id, position);
create index sesame_leaves_by_key     on sesame_leaves (key, chain_id, account, position);
create index sesame_leaves_by_status  on sesame_leaves (status, chain_id, account, position);
create index sesame_leaves_by_end     on sesame_leaves (valid_until) where valid_until > 0;

-- The keys that session keys are sealed by, themselves sealed before they come here. The one with the
-- greatest id seals; the others are there while a rotation is under way.
create table sesame_data_keys (
    id         bigint primary key check (id > 0),
    sealed     bytea  not null,
    created_at timestamptz not null default now()
);

-- Session keys, sealed before they come here.
create table sesame_keys (
    chain_id   bigint not null check (chain_id > 0),
    account    bytea  not null check (octet_length(account) = 20),
    address    bytea  not null check (octet_length(address) = 20),
    data_key   bigint not null references sesame_data_keys,
    sealed     bytea  not null,
    created_at timestamptz not null default now(),
    primary key (chain_id, account, address)
);

create index sesame_keys_by_data_key on sesame_keys (data_key);

-- Lanes of nonces and who sends in them.
create table sesame_lanes (
    chain_id bigint not null check (chain_id > 0),
    account  bytea  not null check (octet_length(account) = 20),
    lane     bytea  not null check (octet_length(lane) = 24),
    holder   bytea  not null,                -- empty after a release
    ends_at  timestamptz not null,           -- -infinity after a release
    primary key (chain_id, account, lane)
);

-- The advisory lock of a session or of its lanes. That of a session is shared by whoever signs, and exclusive
-- for whoever changes it: it takes nothing to disk, exists for sessions that are not stored yet, and lets no
-- stream of signers keep a change waiting. Those that happen to share a number wait for each other, and
-- that is all.
create function sesame_lock(what text, for_chain bigint, for_account bytea) returns bigint
language sql immutable parallel safe as $$
    select hashtextextended('sesame ' || what || ' ' || for_chain || ' ' || encode(for_account, 'hex'), 0)
$$;

-- Changes a session from the wanted version to the next, or not at all. Returns the version that it
-- has now, whether the change was made, and the first ID to delete that is none of the session's.
create function sesame_apply(
    for_chain bigint, for_account bytea, want bigint,
    new_root bytea, new_order bytea[],
    new_pending_root bytea, new_pending_op bytea, new_pending_nonce bytea, new_pending_add bytea[], new_pending_remove bytea[],
    put_id bytea[], put_status smallint[], put_in_tree boolean[], put_until bigint[], put_after bigint[],
    put_module bytea[], put_key bytea[], put_data bytea[], put_function bytea[],
    delete_id bytea[],
    out have bigint, out done boolean, out missing bytea
) language plpgsql as $$
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
