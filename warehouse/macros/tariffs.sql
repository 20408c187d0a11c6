{# What the models of tariffs and prices need beside their queries. #}

{# Minute of the day of a wall-clock time `HH:mm`; `24:00` is 1440, null where it cannot be read. #}
{% macro minute_of_day(text) -%}
    case
        when
            try_cast(split_part({{ text }}, ':', 1) as integer) between 0 and 24
            and try_cast(split_part({{ text }}, ':', 2) as integer) between 0 and 59
            then try_cast(split_part({{ text }}, ':', 1) as integer) * 60 + try_cast(split_part({{ text }}, ':', 2) as integer)
    end
{%- endmacro %}

{# The columns of stg_session_tariffs, from rows of the lake's session_tariffs. #}
{% macro session_tariff_columns() %}
    session_id,
    user_id,
    start_time as started_at,
    end_time as ended_at,
    tariff_type,
    price as price_per_kwh,
    currency,
    _deleted as is_deleted,
    _synced_at as synced_at
{% endmacro %}

{# The prices of a session are made anew where one was committed since the last build, or none is held any more. #}
{% macro forget_stale_session_tariffs() %}
    {% if is_incremental() %}
        {{ forget_stale('session_id', [
            'session_id in (select session_id from ' ~ changed_keys('session_tariffs') ~ ')',
            is_gone('session_id', 'session_tariffs', 'session_id')
        ]) }}
    {% endif %}
{% endmacro %}

{#
    Why a row of fct_dynamic_prices may no longer be right: its slot or its location was committed since the last build,
    or the lake no longer holds the slot.
#}
{% macro forget_stale_dynamic_prices() %}
    {% if is_incremental() %}
        {%- set keys, lake_keys = 'charging_location_id, started_at', 'charging_location_id, start_time' %}
        {{ forget_stale(keys, [
            '(' ~ keys ~ ') in (select ' ~ lake_keys ~ ' from ' ~ changed_keys('dynamic_tariffs') ~ ')',
            'charging_location_id in (select id from ' ~ changed_keys('charging_locations') ~ ')',
            is_gone(keys, 'dynamic_tariffs', lake_keys)
        ]) }}
    {% endif %}
{% endmacro %}

{#
    What analysts ask for prices, as macros of the database, on engines that have such; publishing takes them along:
    `marts.price_at(location, instant)` and `marts.prices_between(location, from_instant, until_instant)`.
#}
{% macro create_price_macros() %}{{ return(adapter.dispatch('create_price_macros', 'chargelake')()) }}{% endmacro %}
{% macro default__create_price_macros() %}{% endmacro %}
{% macro duckdb__create_price_macros() %}
{%- set schema = ref('dim_tariffs').include(database=false, identifier=false) -%}
{%- set span = 'select 1 as span_id, location as charging_location_id, ' -%}
create or replace macro {{ schema }}.price_at(location, instant) as table
select tariff_type, price_per_kwh, currency
from ({{ price_segments(span ~ 'instant as started_at, instant as ended_at') }}) as segments;

create or replace macro {{ schema }}.prices_between(location, from_instant, until_instant) as table
select started_at, ended_at, tariff_type, price_per_kwh, currency
from ({{ price_segments(span ~ 'from_instant as started_at, until_instant as ended_at') }}) as segments
{% endmacro %}

{#
    The price segments of spans of time by the tariffs of their locations, as a whole query.

    spans: SQL of rows (span_id, charging_location_id, started_at, ended_at); a span without length is one moment.
    Gives span_id, started_at, ended_at, tariff_type, price_per_kwh, currency. What no tariff covers is left out, as are
    spans of more than 100 days, which are mistakes. Instants become wall-clock days; the intervals of such a day
    become instants again only within a span of one UTC offset, where that is exact, so that an hour which spring skips
    has no price and one that autumn repeats has two. Tables are named without a database, so that the published file
    can use the same text.
#}
{% macro price_segments(spans) %}
{%- set day = 86400000 %}
with asked as (
    select
        span_id,
        charging_location_id,
        {{ epoch_millis('started_at') }} as from_ms,
        greatest({{ epoch_millis('ended_at') }}, {{ epoch_millis('started_at') }} + 1) as until_ms,
        {{ epoch_millis('ended_at') }} as end_ms
    from ({{ spans }}) as spans
    where {{ epoch_millis('ended_at') }} - {{ epoch_millis('started_at') }} between 0 and {{ 100 * day }}
),

tariffs as (
    select
        tariffs.charging_location_id,
        tariffs.valid_from,
        tariffs.has_holiday_intervals,
        locations.time_zone,
        locations.country,
        {{ epoch_millis('tariffs.valid_from') }} as from_ms,
        coalesce({{ epoch_millis('tariffs.valid_until') }}, {{ 366000 * day }}) as until_ms
    from {{ ref('dim_tariffs').include(database=false) }} as tariffs
    inner join {{ ref('dim_charging_locations').include(database=false) }} as locations
        on tariffs.charging_location_id = locations.charging_location_id
),

offsets as (
    select
        time_zone,
        {{ epoch_millis('valid_from') }} as from_ms,
        {{ epoch_millis('valid_until') }} as until_ms,
        cast(offset_minutes as bigint) * 60000 as offset_ms
    from {{ ref('dim_utc_offsets').include(database=false) }}
),

under_one_tariff as (
    select
        asked.span_id,
        asked.end_ms,
        greatest(asked.from_ms, tariffs.from_ms) as from_ms,
        least(asked.until_ms, tariffs.until_ms) as until_ms,
        tariffs.charging_location_id,
        tariffs.valid_from,
        tariffs.has_holiday_intervals,
        tariffs.time_zone,
        tariffs.country
    from asked
    inner join tariffs
        on
            asked.charging_location_id = tariffs.charging_location_id
            and asked.from_ms < tariffs.until_ms
            and asked.until_ms > tariffs.from_ms
),

under_one_offset as (
    select
        pieces.span_id,
        pieces.end_ms,
        pieces.charging_location_id,
        pieces.valid_from,
        pieces.has_holiday_intervals,
        pieces.country,
        greatest(pieces.from_ms, offsets.from_ms) as from_ms,
        least(pieces.until_ms, offsets.until_ms) as until_ms,
        offsets.offset_ms
    from under_one_tariff as pieces
    inner join offsets
        on
            pieces.time_zone = offsets.time_zone
            and pieces.from_ms < offsets.until_ms
            and pieces.until_ms > offsets.from_ms
),

by_day as (
    select
        pieces.*,
        {{ each_integer(
            span_number('(from_ms + offset_ms)', day), span_number('(until_ms - 1 + offset_ms)', day)
        ) }} as local_day
    from under_one_offset as pieces
),

holidays as (
    select country, {{ days_since_1970('holiday_date') }} as local_day
    from {{ ref('dim_public_holidays').include(database=false) }}
),

on_days as (
    select
        by_day.*,
        by_day.has_holiday_intervals and holidays.local_day is not null as is_holiday,
        (by_day.local_day + 3) % 7 + 1 as day_of_week,
        by_day.local_day * {{ day }} - by_day.offset_ms as midnight_ms
    from by_day
    left join holidays on by_day.country = holidays.country and by_day.local_day = holidays.local_day
),

weekly as (
    select
        on_days.span_id,
        on_days.end_ms,
        case when intervals.tariff_type = 'Dynamic' then on_days.charging_location_id end as dynamic_location_id,
        on_days.local_day,
        greatest(on_days.from_ms, on_days.midnight_ms + intervals.start_minute * 60000) as from_ms,
        least(on_days.until_ms, on_days.midnight_ms + intervals.end_minute * 60000) as until_ms,
        intervals.tariff_type,
        intervals.price_per_kwh,
        intervals.currency
    from on_days
    inner join {{ ref('dim_tariff_intervals').include(database=false) }} as intervals
        on
            on_days.charging_location_id = intervals.charging_location_id
            and on_days.valid_from = intervals.valid_from
            and on_days.day_of_week = intervals.day_of_week
            and on_days.is_holiday = intervals.is_holiday
            and on_days.from_ms < on_days.midnight_ms + intervals.end_minute * 60000
            and on_days.until_ms > on_days.midnight_ms + intervals.start_minute * 60000
),

slots as (
    select
        charging_location_id,
        {{ days_since_1970('local_date') }} as local_day,
        {{ epoch_millis('started_at') }} as from_ms,
        {{ epoch_millis('ended_at') }} as until_ms,
        price_per_kwh,
        currency
    from {{ ref('fct_dynamic_prices').include(database=false) }}
),

{#- A dynamic piece is cut into its slots; where a slot is missing, a part without a price remains. #}
in_slots as (
    select
        weekly.span_id,
        weekly.end_ms,
        weekly.tariff_type,
        weekly.from_ms as piece_from_ms,
        weekly.until_ms as piece_until_ms,
        slots.from_ms is not null as is_slot,
        greatest(weekly.from_ms, coalesce(slots.from_ms, weekly.from_ms)) as from_ms,
        least(weekly.until_ms, coalesce(slots.until_ms, weekly.until_ms)) as until_ms,
        case when slots.from_ms is not null then slots.price_per_kwh else weekly.price_per_kwh end as price_per_kwh,
        case
            when slots.from_ms is not null then slots.currency
            when weekly.dynamic_location_id is null then weekly.currency
        end as currency
    from weekly
    left join slots
        on
            weekly.dynamic_location_id = slots.charging_location_id
            and weekly.local_day = slots.local_day
            and weekly.from_ms < slots.until_ms
            and weekly.until_ms > slots.from_ms
),

between_slots as (
    select
        span_id,
        end_ms,
        tariff_type,
        coalesce(lag(until_ms) over (partition by span_id, piece_from_ms order by from_ms), piece_from_ms) as from_ms,
        from_ms as until_ms
    from in_slots
    union all
    select
        span_id,
        max(end_ms) as end_ms,
        max(tariff_type) as tariff_type,
        max(until_ms) as from_ms,
        max(piece_until_ms) as until_ms
    from in_slots
    group by span_id, piece_from_ms
),

priced as (
    select span_id, end_ms, tariff_type, from_ms, until_ms, price_per_kwh, currency, is_slot
    from in_slots
    union all
    select span_id, end_ms, tariff_type, from_ms, until_ms, null as price_per_kwh, null as currency, false as is_slot
    from between_slots
    where from_ms < until_ms
),

{#- Days, offsets and tariffs cut what is one segment to whoever pays; slots of a dynamic price stay apart. -#}
marked as (
    select
        priced.*,
        case
            when
                not is_slot
                and from_ms = lag(until_ms) over by_span
                and tariff_type = lag(tariff_type) over by_span
                and price_per_kwh is not distinct from lag(price_per_kwh) over by_span
                and currency is not distinct from lag(currency) over by_span
                then 0
            else 1
        end as is_new
    from priced
    window by_span as (partition by span_id order by from_ms, tariff_type)
),

numbered as (
    select
        marked.*,
        sum(is_new) over (partition by span_id order by from_ms, tariff_type rows unbounded preceding) as segment
    from marked
)

select
    span_id,
    {{ instant_of_millis('min(from_ms)') }} as started_at,
    {{ instant_of_millis('least(max(until_ms), max(end_ms))') }} as ended_at,
    max(tariff_type) as tariff_type,
    max(price_per_kwh) as price_per_kwh,
    max(currency) as currency
from numbered
group by span_id, segment
{% endmacro %}
