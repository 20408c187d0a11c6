with days as (
    select country, {{ each_element(words_of('days')) }} as holiday_date
    from {{ ref('public_holidays') }}
)

select
    country,
    cast(holiday_date as date) as holiday_date
from days
