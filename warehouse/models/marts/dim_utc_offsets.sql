{#
    Spans in which a zone's clocks keep one distance from UTC. Within such a span wall-clock time and instants can be
    turned into each other both ways, which is never safe across its ends. Days are compared first, then the quarter
    hours of days on which clocks change.
#}
{#- 2010-01-01 and 2040-01-01, in days since 1970. #}
{%- set first_day, last_day = 14610, 25567 %}

with zones as (
    select distinct time_zone
    from {{ ref('dim_charging_locations') }}
),

midnights as (
    select time_zone, {{ each_integer(first_day, last_day) }} as day
    from zones
),

daily as (
    select
        time_zone,
        day,
        {{ utc_offset_minutes(instant_of_millis('day * 86400000'), 'time_zone') }} as offset_minutes
    from midnights
),

next_daily as (
    select
        daily.*,
        lead(offset_minutes) over (partition by time_zone order by day) as next_offset_minutes
    from daily
),

quarters as (
    select time_zone, day, {{ each_integer(1, 96) }} as quarter
    from next_daily
    where offset_minutes <> next_offset_minutes
),

quarterly as (
    select
        time_zone,
        day,
        day * 86400000 + quarter * 900000 as millis,
        {{ utc_offset_minutes(instant_of_millis('day * 86400000 + quarter * 900000'), 'time_zone') }} as offset_minutes
    from quarters
),

stepped as (
    select
        quarterly.time_zone,
        quarterly.millis,
        quarterly.offset_minutes,
        coalesce(
            lag(quarterly.offset_minutes) over (
                partition by quarterly.time_zone, quarterly.day order by quarterly.millis
            ),
            daily.offset_minutes
        ) as earlier_offset_minutes
    from quarterly
    inner join daily on quarterly.time_zone = daily.time_zone and quarterly.day = daily.day
),

beginnings as (
    select time_zone, millis, offset_minutes
    from stepped
    where offset_minutes <> earlier_offset_minutes
    union all
    select time_zone, day * 86400000 as millis, offset_minutes
    from daily
    where day = {{ first_day }}
)

select
    time_zone,
    {{ instant_of_millis('millis') }} as valid_from,
    {{ instant_of_millis('lead(millis, 1, ' ~ last_day * 86400000 ~ ') over (partition by time_zone order by millis)') }} as valid_until,
    offset_minutes
from beginnings
