{#
    A dynamic layer says 0 or nothing: its prices come slot by slot (fct_dynamic_prices). Each type is documented to come
    once; where one comes with different prices, none is known.
#}
with layers as (
    select charging_location_id, valid_from, {{ each_element('tariffs') }} as layer
    from {{ ref('stg_tariff_versions') }}
),

told as (
    select
        charging_location_id,
        valid_from,
        layer.type as tariff_type,
        case when layer.type <> 'Dynamic' then layer.price end as price_per_kwh,
        nullif(trim(layer.currency), '') as currency
    from layers
)

select
    charging_location_id,
    valid_from,
    tariff_type,
    case
        when count(distinct price_per_kwh) = 1 and count(distinct currency) <= 1 then max(price_per_kwh)
    end as price_per_kwh,
    case when count(distinct currency) = 1 then max(currency) end as currency
from told
group by charging_location_id, valid_from, tariff_type
