-- Every tariff has one price at every minute of the week; the API controls that, so it only warns.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'dim_tariff_intervals'}}}) -}}
with neighbours as (
    select
        charging_location_id,
        valid_from,
        is_holiday,
        day_of_week,
        start_minute,
        end_minute,
        lag(end_minute, 1, 0) over one_day as earlier_end_minute,
        lead(start_minute, 1, 1440) over one_day as later_start_minute
    from {{ ref('dim_tariff_intervals') }}
    window one_day as (partition by charging_location_id, valid_from, is_holiday, day_of_week order by start_minute)
),

weeks as (
    select
        charging_location_id,
        valid_from,
        is_holiday,
        count(distinct day_of_week) as days,
        count(case when earlier_end_minute <> start_minute or later_start_minute <> end_minute then 1 end) as breaks
    from neighbours
    group by charging_location_id, valid_from, is_holiday
),

ordinary_weeks as (
    select tariffs.charging_location_id, tariffs.valid_from, weeks.days, weeks.breaks
    from {{ ref('dim_tariffs') }} as tariffs
    left join weeks
        on
            tariffs.charging_location_id = weeks.charging_location_id
            and tariffs.valid_from = weeks.valid_from
            and not weeks.is_holiday
)

select charging_location_id, valid_from, days, breaks
from ordinary_weeks
where coalesce(days, 0) < 7 or breaks > 0
union all
select charging_location_id, valid_from, days, breaks
from weeks
where is_holiday and breaks > 0
