{#
    A table of its own beside agg_daily_kpis: a car that lost its connection has no session to be counted with. How many
    cars were connected is known from the first sync on, by counting what each version of a vehicle changed.
#}
{%- set zone = "'" ~ env_var('CHARGELAKE_TIME_ZONE') ~ "'" %}

with versions as (
    {{ known_versions(source('lake', 'vehicles')) }}
),

placed as (
    select
        cast({{ local_time('versions.known_from', zone) }} as date) as first_date,
        cast({{ local_time('versions.known_until', zone) }} as date) as next_date,
        users.default_country as country,
        versions.details_brand as vehicle_brand,
        case when versions.is_connected then 1 else 0 end as connected
    from versions
    left join {{ ref('dim_users') }} as users on versions.user_id = users.user_id
    where not versions._deleted
),

changes as (
    select first_date as local_date, country, vehicle_brand, 1 as vehicles, connected
    from placed
    union all
    select next_date as local_date, country, vehicle_brand, -1 as vehicles, -connected as connected
    from placed
    where next_date is not null
),

last_run as (
    select cast({{ local_time('max(finished_at)', zone) }} as date) as local_date
    from {{ source('lake', '_runs') }}
),

horizon as (
    select
        min(changes.local_date) as first_date,
        greatest(max(changes.local_date), max(last_run.local_date)) as last_date
    from changes
    cross join last_run
),

days as (
    select {{ each_day('first_date', 'last_date') }} as local_date
    from horizon
),

daily_changes as (
    select days.local_date, brands.country, brands.vehicle_brand, 0 as vehicles, 0 as connected
    from days
    cross join (select distinct country, vehicle_brand from changes) as brands
    union all
    select local_date, country, vehicle_brand, vehicles, connected
    from changes
),

changed as (
    select
        local_date,
        country,
        vehicle_brand,
        sum(vehicles) as vehicles,
        sum(connected) as connected
    from daily_changes
    group by local_date, country, vehicle_brand
),

counted as (
    select
        local_date,
        country,
        vehicle_brand,
        sum(vehicles) over (partition by country, vehicle_brand order by local_date) as vehicles,
        sum(connected) over (partition by country, vehicle_brand order by local_date) as connected_vehicles
    from changed
),

{#- A message names a user and no car: it counts for the make of the user's cars where that is one. #}
makes as (
    select
        user_id,
        case when count(distinct brand) = 1 then max(brand) end as vehicle_brand
    from {{ ref('dim_vehicles') }}
    group by user_id
),

messages as (
    select
        messages.local_date,
        users.default_country as country,
        makes.vehicle_brand,
        sum(case when messages.type in ('InvalidCredentials', 'InvalidCredentialsBanner') then 1 else 0 end)
            as invalid_credentials_messages,
        sum(case when messages.type = 'CarNotReachable' then 1 else 0 end) as car_not_reachable_messages
    from {{ ref('fct_messages') }} as messages
    left join {{ ref('dim_users') }} as users on messages.user_id = users.user_id
    left join makes on messages.user_id = makes.user_id
    where messages.type in ('InvalidCredentials', 'InvalidCredentialsBanner', 'CarNotReachable')
    group by messages.local_date, users.default_country, makes.vehicle_brand
),

parts as (
    select
        local_date,
        country,
        vehicle_brand,
        vehicles,
        connected_vehicles,
        0 as invalid_credentials_messages,
        0 as car_not_reachable_messages
    from counted
    where vehicles > 0
    union all
    select
        local_date,
        country,
        vehicle_brand,
        null as vehicles,
        null as connected_vehicles,
        invalid_credentials_messages,
        car_not_reachable_messages
    from messages
),

summed as (
    select
        local_date,
        country,
        vehicle_brand,
        sum(vehicles) as vehicles,
        sum(connected_vehicles) as connected_vehicles,
        sum(invalid_credentials_messages) as invalid_credentials_messages,
        sum(car_not_reachable_messages) as car_not_reachable_messages
    from parts
    group by local_date, country, vehicle_brand
)

select
    local_date,
    country,
    vehicle_brand,
    cast(vehicles as bigint) as vehicles,
    cast(connected_vehicles as bigint) as connected_vehicles,
    cast(connected_vehicles as double) / vehicles as connected_vehicles_share,
    cast(invalid_credentials_messages as bigint) as invalid_credentials_messages,
    cast(car_not_reachable_messages as bigint) as car_not_reachable_messages
from summed
