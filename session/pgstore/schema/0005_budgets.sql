-- Stops: what somebody threw the kill switch for, one row for each session.Stop. Null stands for every account,
-- or every key. Few rows, all of which who signs reads.
create table sesame_stops (
    name      bytea  primary key check (octet_length(name) between 1 and 255),
    chain_id  bigint check (chain_id > 0),
    account   bytea  check (octet_length(account) = 20),
    key       bytea  check (octet_length(key) = 20),
    final     boolean not null,
    who       bytea  not null check (octet_length(who) between 1 and 255),
    why       bytea  not null check (octet_length(why) between 1 and 255),
    at        timestamptz not null,
    check ((chain_id is null) = (account is null))
);

-- What accounts spent and have reserved: one row for each count (outbox.Usage). The key is empty for that of the
-- whole account; spent is of the day.
create table sesame_spent (
    chain_id bigint  not null check (chain_id > 0),
    account  bytea   not null check (octet_length(account) = 20),
    key      bytea   not null check (octet_length(key) in (0, 20)),
    unit     bytea   not null check (octet_length(unit) between 1 and 64),
    day      date    not null,
    spent    numeric not null check (spent >= 0),
    open     numeric not null check (open >= 0),
    total    numeric not null check (total >= 0),
    primary key (chain_id, account, key, unit)
);

-- What is reserved: for an entry of the outbox or, while that is null, until a moment.
create table sesame_reserved (
    reservation bigint  not null,
    chain_id    bigint  not null,
    account     bytea   not null,
    key         bytea   not null,
    unit        bytea   not null,
    amount      numeric not null check (amount >= 0),
    entry       bigint,
    until       timestamptz,
    primary key (reservation, key, unit),
    check ((entry is null) = (until is not null))
);
create index sesame_reserved_entry on sesame_reserved (entry) where entry is not null;
create index sesame_reserved_loose on sesame_reserved (chain_id, account, until) where entry is null;

create or replace function sesame_lock(program integer, what text, for_chain bigint, for_account bytea) returns bigint
language plpgsql as $$
begin
    if program <> 5 then
        raise exception using errcode = 'SES01',
            message = 'it is version 5, the program knows up to ' || program || '; update the program';
    end if;
    return hashtextextended('sesame ' || what || ' ' || for_chain || ' ' || encode(for_account, 'hex'), 0);
end
$$;

-- The day as it is now, and not when the transaction began: it may have waited for its turn over midnight.
create function sesame_today() returns date language sql volatile as $$ select (clock_timestamp() at time zone 'UTC')::date $$;

-- Reserves all that is asked for, or returns the first count that is over its limit. One at a time does so for
-- an account. What is reserved for an entry already is taken off.
create function sesame_reserve(
    for_chain bigint, for_account bytea, for_entry bigint,
    keys bytea[], units bytea[], amounts numeric[], limits numeric[], lasts interval,
    out reservation bigint, out refused integer, out was_spent numeric, out was_open numeric, out asked numeric, out today date
) language plpgsql as $$
declare
    i    integer;
    held numeric;
begin
    perform pg_advisory_xact_lock(hashtextextended('sesame spent ' || for_chain || ' ' || encode(for_account, 'hex'), 0));
    today := sesame_today();
    with over as (
        delete from sesame_reserved r where r.chain_id = for_chain and r.account = for_account and r.entry is null and r.until <= now()
        returning r.key, r.unit, r.amount
    ), sums as (select o.key, o.unit, sum(o.amount) as amount from over o group by o.key, o.unit)
    update sesame_spent s set open = greatest(s.open - sums.amount, 0) from sums
        where s.chain_id = for_chain and s.account = for_account and s.key = sums.key and s.unit = sums.unit;
    for i in 1 .. cardinality(keys) loop
        select coalesce(sum(r.amount), 0) into held from sesame_reserved r
            where r.entry = for_entry and r.key = keys[i] and r.unit = units[i];
        asked := greatest(amounts[i] - held, 0);
        amounts[i] := asked;
        select case when s.day >= today then s.spent else 0 end, s.open into was_spent, was_open from sesame_spent s
            where s.chain_id = for_chain and s.account = for_account and s.key = keys[i] and s.unit = units[i];
        was_spent := coalesce(was_spent, 0);
        was_open := coalesce(was_open, 0);
        if asked > 0 and was_spent + was_open + asked > limits[i] then
            refused := i;
            return;
        end if;
    end loop;
    -- A number at random: a sequence would take a right of its own.
    reservation := ('x' || left(replace(gen_random_uuid()::text, '-', ''), 15))::bit(60)::bigint;
    for i in 1 .. cardinality(keys) loop
        insert into sesame_spent as s (chain_id, account, key, unit, day, spent, open, total)
            values (for_chain, for_account, keys[i], units[i], today, 0, amounts[i], 0)
            on conflict (chain_id, account, key, unit) do update set open = s.open + excluded.open;
        insert into sesame_reserved (reservation, chain_id, account, key, unit, amount, until)
            values (reservation, for_chain, for_account, keys[i], units[i], amounts[i], now() + lasts);
    end loop;
end
$$;

-- Makes a reservation an entry's, or fails: what was reserved may be another's by now.
create function sesame_keep(for_reservation bigint, for_entry bigint) returns bigint language plpgsql as $$
begin
    if for_reservation <> 0 then
        -- One at a time with who takes away what was left behind: that locks the same rows, in any order.
        perform pg_advisory_xact_lock(hashtextextended('sesame spent ' || r.chain_id || ' ' || encode(r.account, 'hex'), 0))
            from sesame_reserved r where r.reservation = for_reservation limit 1;
        update sesame_reserved r set entry = for_entry, until = null where r.reservation = for_reservation and r.entry is null;
        if not found then
            raise exception using errcode = 'SES03', message = 'reservation ' || for_reservation || ' is gone';
        end if;
    end if;
    return for_entry;
end
$$;

-- Ends what is reserved for an entry, or a reservation that is no entry's. state is the outcome's, 4 where
-- nothing was included; cost is in wei of gas.
create function sesame_end(for_entry bigint, for_reservation bigint, for_chain bigint, for_account bytea, state integer, cost numeric)
returns bigint language plpgsql as $$
declare
    today date;
begin
    perform pg_advisory_xact_lock(hashtextextended('sesame spent ' || for_chain || ' ' || encode(for_account, 'hex'), 0));
    today := sesame_today();
    with ended as (
        delete from sesame_reserved r where r.chain_id = for_chain and r.account = for_account
            and (r.entry = for_entry or r.entry is null and r.reservation = for_reservation)
        returning r.key, r.unit, r.amount
    ), sums as (
        select e.key, e.unit, sum(e.amount) as amount, case
            when state = 4 then 0
            when e.unit = 'gas' then cost
            when e.unit = 'operations' or state = 2 then sum(e.amount)
            else 0 end as spent
        from ended e group by e.key, e.unit
    )
    update sesame_spent s set open = greatest(s.open - sums.amount, 0), total = s.total + sums.spent,
        spent = case when s.day >= today then s.spent else 0 end + sums.spent, day = greatest(s.day, today)
    from sums where s.chain_id = for_chain and s.account = for_account and s.key = sums.key and s.unit = sums.unit;
    return for_entry;
end
$$;
