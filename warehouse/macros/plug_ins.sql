{# A session that was ended by force, and what follows it within ten minutes: one plug-in, two rows of the API. #}
{%- macro ten_minutes() %}600000{% endmacro %}

{#
    Pairs of a session ended by force and one of the same user's car (or place, where the car is not told) that
    started within ten minutes of the end, as a whole query.

    forced: SQL of sessions ended by force. followers: SQL of sessions. Gives the columns of followers' keys and times
    that callers need. Both sides meet in spans of ten minutes, so that no user's sessions are all compared.
#}
{% macro forced_end_pairs(forced, followers) %}
with forced as (
    select
        session_id,
        user_id,
        vehicle_id,
        charging_location_id,
        started_at,
        {{ epoch_millis('ended_at') }} as end_ms
    from ({{ forced }}) as forced
    where ended_at is not null
),

followers as (
    select
        session_id,
        user_id,
        vehicle_id,
        charging_location_id,
        started_at,
        {{ epoch_millis('started_at') }} as start_ms
    from ({{ followers }}) as followers
),

expected as (
    select forced.*, cast(floor(end_ms / cast({{ ten_minutes() }} as double)) as bigint) as ten_minutes from forced
    union all
    select forced.*, cast(floor(end_ms / cast({{ ten_minutes() }} as double)) as bigint) + 1 as ten_minutes from forced
)

select
    expected.session_id as forced_session_id,
    expected.end_ms as forced_end_ms,
    followers.session_id,
    followers.start_ms
from followers
inner join expected
    on
        followers.user_id = expected.user_id
        and cast(floor(followers.start_ms / cast({{ ten_minutes() }} as double)) as bigint) = expected.ten_minutes
        and followers.start_ms - expected.end_ms between 0 and {{ ten_minutes() }}
where
    coalesce(followers.vehicle_id = expected.vehicle_id, true)
    and coalesce(followers.charging_location_id = expected.charging_location_id, true)
    and (followers.vehicle_id = expected.vehicle_id or followers.charging_location_id = expected.charging_location_id)
    and (
        followers.started_at > expected.started_at
        or (followers.started_at = expected.started_at and followers.session_id > expected.session_id)
    )
{% endmacro %}
