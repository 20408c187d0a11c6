{# The lake's tables that hold data of the tenant, in the order in which they are asked. #}
{% macro lake_tables() %}
    {{ return([
        'users', 'vehicles', 'charging_locations', 'sessions', 'supported_car_models', 'location_tariffs',
        'utility_contracts', 'chargers', 'charger_states', 'vehicle_states', 'charge_settings', 'reward_rates',
        'session_settings', 'session_tariffs', 'payouts', 'financials', 'rewards', 'reward_balances', 'messages',
        'dynamic_tariffs', 'solar_energy'
    ]) }}
{% endmacro %}
