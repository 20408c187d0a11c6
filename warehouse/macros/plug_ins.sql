{# A session that was ended by force, and what follows it within ten minutes: one plug-in, two rows of the API. #}

{#
    Pairs of a session ended by force and one that started within ten minutes of its end and is of the same user's
    car (of the same place, where the car is not told), as a whole query.

    forced, followers: SQL of rows (session_id, user_id, vehicle_id, charging_location_id, started_at; forced has
    ended_at, too). Gives forced_session_id, forced_end_ms, session_id, start_ms.
    Both sides meet in spans of ten minutes, so that never all sessions of a user are compared with each other.
#}
{% macro forced_end_pairs(forced, followers) %}
{%- set longest_gap = 600000 %}
{%- set columns = 'session_id, user_id, vehicle_id, charging_location_id, started_at' %}
with ends as (
    select {{ columns }}, {{ epoch_millis('ended_at') }} as end_ms
    from ({{ forced }}) as forced
    where ended_at is not null
),

starts as (
    select
        {{ columns }},
        {{ epoch_millis('started_at') }} as start_ms,
        {{ span_number(epoch_millis('started_at'), longest_gap) }} as span
    from ({{ followers }}) as followers
),

expected as (
    select {{ columns }}, end_ms, {{ span_number('end_ms', longest_gap) }} as span from ends
    union all
    select {{ columns }}, end_ms, {{ span_number('end_ms', longest_gap) }} + 1 as span from ends
)

select
    expected.session_id as forced_session_id,
    expected.end_ms as forced_end_ms,
    starts.session_id,
    starts.start_ms
from starts
inner join expected
    on
        starts.user_id = expected.user_id
        and starts.span = expected.span
        and starts.start_ms - expected.end_ms between 0 and {{ longest_gap }}
where
    coalesce(starts.vehicle_id = expected.vehicle_id, true)
    and coalesce(starts.charging_location_id = expected.charging_location_id, true)
    and (starts.vehicle_id = expected.vehicle_id or starts.charging_location_id = expected.charging_location_id)
    and (
        starts.started_at > expected.started_at
        or (starts.started_at = expected.started_at and starts.session_id > expected.session_id)
    )
{% endmacro %}

{# Which of the spans of so many milliseconds since 1970 a moment lies in. #}
{% macro span_number(millis, length) -%}
    cast(floor({{ millis }} / cast({{ length }} as double)) as bigint)
{%- endmacro %}
