{#
    A version of the changelog that tells nothing new about the tariff (another field changed) goes on with the one
    before it. The first one is taken to hold since the location was made: nothing older is known.
#}
with versions as (
    select
        charging_location_id,
        off_peak_charging_only,
        tariffs,
        tariff_intervals,
        holiday_tariff_intervals,
        _deleted as is_deleted,
        _synced_at as first_seen_at,
        row_number() over by_location as version,
        off_peak_charging_only is not distinct from lag(off_peak_charging_only) over by_location
        and tariffs is not distinct from lag(tariffs) over by_location
        and tariff_intervals is not distinct from lag(tariff_intervals) over by_location
        and holiday_tariff_intervals is not distinct from lag(holiday_tariff_intervals) over by_location
        and _deleted is not distinct from lag(_deleted) over by_location as is_repeated
    from {{ source('lake', 'location_tariffs') }}
    window by_location as (partition by charging_location_id order by _synced_at, _row_hash)
),

changes as (
    select
        versions.*,
        lead(first_seen_at) over (partition by charging_location_id order by version) as valid_until
    from versions
    where version = 1 or not is_repeated
)

select
    changes.charging_location_id,
    case
        when changes.version = 1 and locations.created_at < changes.first_seen_at then locations.created_at
        else changes.first_seen_at
    end as valid_from,
    changes.valid_until,
    changes.version = 1 and coalesce(locations.created_at < changes.first_seen_at, false) as is_backdated,
    changes.first_seen_at,
    changes.off_peak_charging_only as is_off_peak_charging_only,
    changes.tariffs,
    changes.tariff_intervals,
    changes.holiday_tariff_intervals
from changes
left join {{ ref('stg_charging_locations') }} as locations
    on changes.charging_location_id = locations.charging_location_id
where not changes.is_deleted
