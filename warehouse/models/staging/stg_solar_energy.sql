with current_solar_energy as (
    {{ current_rows(source('lake', 'solar_energy'), key='charging_location_id, start_time') }}
)

select
    {{ solar_columns() }}
from current_solar_energy
