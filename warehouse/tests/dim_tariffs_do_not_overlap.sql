-- At every instant a location has at most one tariff.
{{ config(meta={'dagster': {'ref': {'name': 'dim_tariffs'}}}) -}}
with neighbours as (
    select
        charging_location_id,
        valid_from,
        valid_until,
        lead(valid_from) over (partition by charging_location_id order by valid_from) as next_valid_from
    from {{ ref('dim_tariffs') }}
)

select charging_location_id, valid_from, valid_until, next_valid_from
from neighbours
where next_valid_from < coalesce(valid_until, next_valid_from + interval '1 day')
