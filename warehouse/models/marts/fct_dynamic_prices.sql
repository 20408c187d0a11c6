{# Incremental like fct_sessions: stale slots go (forget_stale_dynamic_prices), these and new ones are made anew. #}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_stale_dynamic_prices() }}') }}

with versions as (
    select
        changelog.charging_location_id,
        changelog.start_time as started_at,
        changelog.end_time as ended_at,
        changelog.price,
        changelog.currency,
        changelog.data_type,
        changelog._deleted as is_deleted,
        changelog._synced_at as synced_at,
        row_number() over (
            partition by changelog.charging_location_id, changelog.start_time
            order by changelog._synced_at desc, changelog._row_hash desc
        ) as version_rank,
        row_number() over (
            partition by changelog.charging_location_id, changelog.start_time, changelog.data_type, changelog._deleted
            order by changelog._synced_at desc, changelog._row_hash desc
        ) as rank_within_type
    from {{ source('lake', 'dynamic_tariffs') }} as changelog
    {% if is_incremental() %}
        where (changelog.charging_location_id, changelog.start_time) in (
            {{ keys_to_make('charging_location_id, started_at', ['dynamic_tariffs'], 'charging_location_id, start_time') }}
        )
    {% endif %}
),

marked as (
    select
        versions.*,
        version_rank = 1 as is_latest,
        not is_deleted and data_type = 'Forecast' and rank_within_type = 1 as is_last_forecast,
        not is_deleted and data_type = 'Actual' and rank_within_type = 1 as is_actual
    from versions
),

slots as (
    select
        charging_location_id,
        started_at,
        max(case when is_latest then ended_at end) as ended_at,
        max(case when is_last_forecast then price end) as forecast_price_per_kwh,
        max(case when is_last_forecast then currency end) as forecast_currency,
        max(case when is_actual then price end) as actual_price_per_kwh,
        max(case when is_actual then currency end) as actual_currency,
        max(case when is_latest then price end) as latest_price_per_kwh,
        max(case when is_latest then currency end) as latest_currency,
        max(synced_at) as synced_at
    from marked
    group by charging_location_id, started_at
    having max(case when is_latest and is_deleted then 1 else 0 end) = 0
),

placed as (
    select
        slots.*,
        coalesce(locations.time_zone, '{{ env_var("CHARGELAKE_TIME_ZONE") }}') as time_zone
    from slots
    left join {{ ref('dim_charging_locations') }} as locations
        on slots.charging_location_id = locations.charging_location_id
),

{#- The same slots come at every location: each is turned into local time once. #}
moments as (
    select distinct started_at, time_zone
    from placed
),

localised as (
    select
        started_at,
        time_zone,
        {{ local_time('started_at', 'time_zone') }} as start_local
    from moments
)

select
    placed.charging_location_id,
    placed.started_at,
    placed.ended_at,
    placed.time_zone,
    localised.start_local,
    cast(localised.start_local as date) as local_date,
    cast(extract(hour from localised.start_local) as integer) as local_hour,
    placed.forecast_price_per_kwh,
    placed.actual_price_per_kwh,
    coalesce(placed.actual_price_per_kwh, placed.latest_price_per_kwh) as price_per_kwh,
    case
        when placed.actual_price_per_kwh is not null then placed.actual_currency else placed.latest_currency
    end as currency,
    case
        when placed.forecast_currency is not distinct from placed.actual_currency
            then
                cast(
                    {{ plausible('placed.forecast_price_per_kwh') }} - {{ plausible('placed.actual_price_per_kwh') }}
                    as decimal(38, 9)
                )
    end as forecast_error,
    placed.actual_price_per_kwh is null as is_forecast,
    placed.synced_at
from placed
inner join localised
    on placed.started_at = localised.started_at and placed.time_zone = localised.time_zone
