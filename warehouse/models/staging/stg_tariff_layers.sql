{# A dynamic layer says 0 or nothing: its prices come slot by slot (fct_dynamic_prices). #}
with layers as (
    select charging_location_id, valid_from, {{ each_element('tariffs') }} as layer
    from {{ ref('stg_tariff_versions') }}
)

select
    charging_location_id,
    valid_from,
    layer.type as tariff_type,
    case when layer.type <> 'Dynamic' then layer.price end as price_per_kwh,
    nullif(trim(layer.currency), '') as currency
from layers
