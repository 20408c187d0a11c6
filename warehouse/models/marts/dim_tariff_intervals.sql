{#
    Times are wall-clock minutes of the day and stay so: they become instants only where a day is known (see
    price_segments). An interval over midnight goes on on the next weekday.
#}
with listed as (
    select charging_location_id, valid_from, valid_until, false as is_holiday, {{ each_element('tariff_intervals') }} as part
    from {{ ref('stg_tariff_versions') }}
    union all
    select charging_location_id, valid_from, valid_until, true as is_holiday, {{ each_element('holiday_tariff_intervals') }} as part
    from {{ ref('stg_tariff_versions') }}
),

told as (
    select
        charging_location_id,
        valid_from,
        valid_until,
        is_holiday,
        part.tariff_type as tariff_type,
        part.days_of_week as days,
        case when part.start_time is null then 0 else {{ minute_of_day('part.start_time') }} end as start_minute,
        case when part.end_time is null then 1440 else {{ minute_of_day('part.end_time') }} end as end_minute
    from listed
),

{#- One price and no intervals: the price holds all week. -#}
untold as (
    select
        versions.charging_location_id,
        versions.valid_from,
        versions.valid_until,
        false as is_holiday,
        max(layers.tariff_type) as tariff_type,
        null as days,
        0 as start_minute,
        1440 as end_minute
    from {{ ref('stg_tariff_versions') }} as versions
    inner join {{ ref('stg_tariff_layers') }} as layers
        on versions.charging_location_id = layers.charging_location_id and versions.valid_from = layers.valid_from
    where {{ list_length('versions.tariff_intervals') }} = 0
    group by versions.charging_location_id, versions.valid_from, versions.valid_until
    having count(*) = 1
),

intervals as (
    select charging_location_id, valid_from, valid_until, is_holiday, tariff_type, days, start_minute, end_minute
    from told
    union all
    select charging_location_id, valid_from, valid_until, is_holiday, tariff_type, days, start_minute, end_minute
    from untold
),

weekdays as (
    select {{ each_integer(1, 7) }} as number
),

named_weekdays as (
    select
        number,
        case number
            when 1 then 'Monday' when 2 then 'Tuesday' when 3 then 'Wednesday' when 4 then 'Thursday'
            when 5 then 'Friday' when 6 then 'Saturday' else 'Sunday'
        end as name
    from weekdays
),

daily as (
    select intervals.*, named_weekdays.number as day_of_week
    from intervals
    inner join named_weekdays
        on {{ list_length('intervals.days') }} = 0 or {{ is_in_list('intervals.days', 'named_weekdays.name') }}
    where intervals.start_minute is not null and intervals.end_minute is not null
),

cut_at_midnight as (
    select
        charging_location_id,
        valid_from,
        valid_until,
        is_holiday,
        tariff_type,
        day_of_week,
        start_minute,
        case when end_minute > start_minute then end_minute else 1440 end as end_minute
    from daily
    union all
    select
        charging_location_id,
        valid_from,
        valid_until,
        is_holiday,
        tariff_type,
        day_of_week % 7 + 1 as day_of_week,
        0 as start_minute,
        end_minute
    from daily
    where end_minute <= start_minute
),

{#- Intervals of one type that start together are one, as where an interval is told twice. #}
merged as (
    select
        charging_location_id,
        valid_from,
        valid_until,
        is_holiday,
        day_of_week,
        start_minute,
        max(end_minute) as end_minute,
        tariff_type
    from cut_at_midnight
    where start_minute < end_minute and end_minute <= 1440
    group by charging_location_id, valid_from, valid_until, is_holiday, day_of_week, start_minute, tariff_type
)

select
    merged.charging_location_id,
    merged.valid_from,
    merged.valid_until,
    merged.is_holiday,
    merged.day_of_week,
    merged.start_minute,
    merged.end_minute,
    merged.tariff_type,
    layers.price_per_kwh,
    layers.currency
from merged
left join {{ ref('stg_tariff_layers') }} as layers
    on
        merged.charging_location_id = layers.charging_location_id
        and merged.valid_from = layers.valid_from
        and merged.tariff_type = layers.tariff_type
