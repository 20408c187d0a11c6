{# A model without an id is known by brand, model and version; the prefix keeps the two kinds of key apart. #}
{%- set key -%}
coalesce('id ' || id, 'name ' || coalesce(brand, '') || ' / ' || coalesce(model, '') || ' / ' || coalesce(version, ''))
{%- endset -%}

with current_models as (
    {{ current_rows(source('lake', 'supported_car_models'), key=key) }}
)

select
    {{ key }} as car_model_key,
    id as car_model_id,
    brand,
    model,
    version,
    capabilities,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_models
