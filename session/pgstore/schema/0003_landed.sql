-- The last change of the root that landed, for the chain may take it back. JSON with the bytes of IDs in base64;
-- null where none is known.
alter table sesame_sessions add column landed json;

create function sesame_session_sum(
    chain_id bigint, account bytea, version bigint, leaves bigint, root bytea, tree_order bytea[],
    pending_root bytea, pending_op bytea, pending_nonce bytea, pending_add bytea[], pending_remove bytea[],
    pending_operation json, pending_until bigint, landed json
) returns bytea language sql stable parallel safe as $$
    select sha256('session' || int8send($1) || $2 || int8send($3) || int8send($4) || $5
        || case when $6 is null then '\x00' else '\x01' || int8send(octet_length(array_send($6))::bigint) || array_send($6) end
        || case when $7 is null then '\x00' else '\x01' || $7 || $8 || $9 end
        || case when $10 is null then '\x00' else '\x01' || int8send(octet_length(array_send($10))::bigint) || array_send($10) end
        || case when $11 is null then '\x00' else '\x01' || int8send(octet_length(array_send($11))::bigint) || array_send($11) end
        || int8send($13)
        || case when $12 is null then '\x00'
            else '\x01' || int8send(octet_length(convert_to($12::text, 'UTF8'))::bigint) || convert_to($12::text, 'UTF8') end
        || case when $14 is null then '\x00' else '\x01' || convert_to($14::text, 'UTF8') end)
$$;

-- A row that did not fit its checksum does not fit the new one either.
update sesame_sessions set checksum = sesame_session_sum(chain_id, account, version, leaves, root, tree_order,
        pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until, landed)
    where checksum = sesame_session_sum(chain_id, account, version, leaves, root, tree_order,
        pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until);

-- Programs of the second schema ask this of every row they read, and would find it damaged.
create or replace function sesame_session_sum(
    chain_id bigint, account bytea, version bigint, leaves bigint, root bytea, tree_order bytea[],
    pending_root bytea, pending_op bytea, pending_nonce bytea, pending_add bytea[], pending_remove bytea[],
    pending_operation json, pending_until bigint
) returns bytea language plpgsql as $$
begin
    raise exception using errcode = 'SES01',
        message = 'it is version 3, the program knows up to 2; update the program';
end
$$;

-- See the second schema, whose programs stop here. The sesame_apply that they call stops with them.
create or replace function sesame_lock(program integer, what text, for_chain bigint, for_account bytea) returns bigint
language plpgsql as $$
begin
    if program <> 3 then
        raise exception using errcode = 'SES01',
            message = 'it is version 3, the program knows up to ' || program || '; update the program';
    end if;
    return hashtextextended('sesame ' || what || ' ' || for_chain || ' ' || encode(for_account, 'hex'), 0);
end
$$;

-- Changes a session from the wanted version to the next, or not at all. Returns the version that it
-- has now, whether the change was made, and the first ID to delete that is none of the session's. It gives
-- no new checksum to a row that did not fit its own.
create function sesame_apply(
    program integer, for_chain bigint, for_account bytea, want bigint,
    new_root bytea, new_order bytea[],
    new_pending_root bytea, new_pending_op bytea, new_pending_nonce bytea, new_pending_add bytea[], new_pending_remove bytea[],
    new_pending_operation json, new_pending_until bigint, new_landed json,
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
