with priced as (
    select
        charging_location_id,
        valid_from,
        count(distinct tariff_type) as types,
        max(case when tariff_type = 'Dynamic' then 1 else 0 end) = 1 as is_dynamic,
        max(case when tariff_type = 'Standard' then 1 else 0 end) = 1 as is_standard,
        max(case when tariff_type = 'Standard' then price_per_kwh end) as standard_price_per_kwh,
        max(case when tariff_type = 'Peak' then price_per_kwh end) as peak_price_per_kwh,
        max(case when tariff_type = 'OffPeak' then price_per_kwh end) as off_peak_price_per_kwh,
        max(case when tariff_type = 'SuperOffPeak' then price_per_kwh end) as super_off_peak_price_per_kwh,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from {{ ref('stg_tariff_layers') }}
    group by charging_location_id, valid_from
)

select
    versions.charging_location_id,
    versions.valid_from,
    versions.valid_until,
    versions.valid_until is null as is_current,
    versions.is_backdated,
    versions.first_seen_at,
    case
        when priced.is_dynamic then 'dynamic'
        when priced.is_standard then 'standard'
        when priced.types = 2 then 'double'
        when priced.types = 3 then 'triple'
        when priced.types > 0 then 'other'
    end as tariff_kind,
    priced.standard_price_per_kwh,
    priced.peak_price_per_kwh,
    priced.off_peak_price_per_kwh,
    priced.super_off_peak_price_per_kwh,
    priced.currency,
    versions.is_off_peak_charging_only,
    {{ list_length('versions.holiday_tariff_intervals') }} > 0 as has_holiday_intervals
from {{ ref('stg_tariff_versions') }} as versions
left join priced
    on versions.charging_location_id = priced.charging_location_id and versions.valid_from = priced.valid_from
