-- Sends, written down before they are sent: one row for each outbox.Entry. Strings are bytes, as in the other
-- tables. All a lease is about (holder, lease_until) may be lost without harm, and is under no checksum.
create table sesame_outbox (
    id          bigint   primary key generated always as identity,
    version     bigint   not null check (version > 0),
    chain_id    bigint   not null check (chain_id > 0),
    account     bytea    not null check (octet_length(account) = 20),
    entry_point bytea    not null check (octet_length(entry_point) = 20),
    key         bytea    not null check (octet_length(key) between 1 and 255),
    kind        bytea    not null,
    asked       bytea    not null,
    nonce       bytea    not null check (octet_length(nonce) = 32),
    hashes      bytea[]  not null check (cardinality(hashes) > 0), -- of the attempts
    attempts    json     not null,
    state       smallint not null check (state between 1 and 4), -- open, landed, reverted, ended
    outcome     json,                 -- null while it is open
    given       boolean  not null,
    reported    boolean  not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    ended_at    timestamptz,          -- null while it is open
    holder      bytea    not null,    -- empty after a release
    lease_until timestamptz not null, -- -infinity after a release
    checksum    bytea    not null,
    check ((state = 1) = (outcome is null) and (state = 1) = (ended_at is null))
);

-- By its order a key that is taken is told before a nonce that is.
create unique index sesame_outbox_key   on sesame_outbox (chain_id, account, key);
create unique index sesame_outbox_nonce on sesame_outbox (chain_id, account, nonce) where state = 1;

create index sesame_outbox_hash   on sesame_outbox ((hashes[1]));
create index sesame_outbox_hashes on sesame_outbox using gin (hashes) where cardinality(hashes) > 1;

-- What can be claimed when its lease is over, and what can be swept.
create index sesame_outbox_due  on sesame_outbox (lease_until, id) where state = 1 or not reported;
create index sesame_outbox_over on sesame_outbox (ended_at, id) where state > 1 and reported;

-- For listings.
create index sesame_outbox_account on sesame_outbox (account, id);
create index sesame_outbox_state   on sesame_outbox (state, id);

create function sesame_outbox_sum(
    id bigint, version bigint, chain_id bigint, account bytea, entry_point bytea, key bytea, kind bytea, asked bytea,
    nonce bytea, hashes bytea[], attempts json, state smallint, outcome json, given boolean, reported boolean,
    created_at timestamptz, updated_at timestamptz, ended_at timestamptz
) returns bytea language sql stable parallel safe as $$
    select sha256('outbox' || int8send($1) || int8send($2) || int8send($3) || $4 || $5
        || int8send(octet_length($6)::bigint) || $6 || int8send(octet_length($7)::bigint) || $7 || int8send(octet_length($8)::bigint) || $8
        || $9 || int8send(octet_length(array_send($10))::bigint) || array_send($10)
        || int8send(octet_length($11::text)::bigint) || convert_to($11::text, 'UTF8')
        || int2send($12) || boolsend($14) || boolsend($15) || timestamptz_send($16) || timestamptz_send($17)
        || case when $18 is null then '\x00' else '\x01' || timestamptz_send($18) end
        || case when $13 is null then '\x00' else '\x01' || convert_to($13::text, 'UTF8') end)
$$;

-- A row's number, which the checksum binds, is known here first.
create function sesame_outbox_number() returns trigger language plpgsql as $$
begin
    new.checksum := sesame_outbox_sum(new.id, new.version, new.chain_id, new.account, new.entry_point, new.key, new.kind, new.asked,
        new.nonce, new.hashes, new.attempts, new.state, new.outcome, new.given, new.reported, new.created_at, new.updated_at, new.ended_at);
    return new;
end
$$;

create trigger sesame_outbox_number before insert on sesame_outbox for each row execute function sesame_outbox_number();

-- Programs of before know nothing of sends that are written down, and would use their nonces: they stop at
-- their next signature.
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
